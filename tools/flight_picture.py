# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes docs/pictures/flight.webp: six frames of a flight, as picture and as depth.

Runs in the engine's environment, which reads videos; it starts the bpy wheel for the flight and
its two videos:

    .env/engine/bin/python -P tools/flight_picture.py out/demo.blend
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
BLENDER: Final = ROOT / ".env" / "blender-5.2" / "bin" / "python"
PICTURE: Final = ROOT / "docs" / "pictures" / "flight.webp"
CONTENTS: Final = ("COLOUR", "DEPTH")
SECONDS: Final = 0.5
SHOWN: Final = (0.06, 0.5, 0.94)  # of the flight
SIZE: Final = (504, 336)  # of the videos
WIDTH: Final = 420
GAP: Final = 4
MOST_BYTES: Final = 150_000


def film(blend: Path, folder: Path) -> None:
    """Fly through the scene of a file and render both videos; in Blender."""
    sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
    os.environ["BLENDER_USER_RESOURCES"] = str(folder)  # before bpy is first imported
    import bpy
    from demo import install_extension

    install_extension(folder)
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.device = "CYCLES", "CPU"
    scene.cycles.samples, scene.cycles.use_denoising = 8, False
    settings = scene.da3.flight
    settings.size, settings.width, settings.height = "OWN", *SIZE
    settings.mode, settings.timing, settings.seconds = "interpolate_smooth", "SECONDS", SECONDS
    bpy.ops.da3.add_flight()
    for content in CONTENTS:
        settings.content = content
        settings.filepath = str(folder / f"{content}.mp4")
        bpy.ops.da3.render_flight()
    sys.stdout.flush()
    os._exit(0)  # the wheel of 4.5 may wait for ever at its end


def read_frames(path: Path) -> list[object]:
    """Return some frames of a video as pictures."""
    import av

    with av.open(str(path)) as video:
        frames = [frame.to_image() for frame in video.decode(video=0)]
    return [frames[round(share * (len(frames) - 1))] for share in SHOWN]


def main() -> None:
    """Render, put together, compress."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("blend", type=Path, help="a reconstruction, such as out/demo.blend")
    parser.add_argument("--film", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.film is not None:
        film(options.blend.resolve(), options.film)
        return
    from PIL import Image

    with tempfile.TemporaryDirectory(prefix="da3-film-") as name:
        command = [BLENDER, "-P", __file__, options.blend.resolve(), "--film", name]
        subprocess.run(command, check=True)
        rows = [read_frames(Path(name) / f"{content}.mp4") for content in CONTENTS]
    height = round(WIDTH * rows[0][0].height / rows[0][0].width)
    size = len(SHOWN) * (WIDTH + GAP) - GAP, len(rows) * (height + GAP) - GAP
    sheet = Image.new("RGB", size, "white")
    for row, frames in enumerate(rows):
        for column, frame in enumerate(frames):
            place = column * (WIDTH + GAP), row * (height + GAP)
            sheet.paste(frame.resize((WIDTH, height)), place)
    for quality in (90, 80, 70, 60, 50):
        sheet.save(PICTURE, quality=quality, method=6)
        if PICTURE.stat().st_size < MOST_BYTES:
            break
    print(f"{PICTURE}: {PICTURE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
