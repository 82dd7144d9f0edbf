# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario: a shot from a tripod is solved, set up, scrubbed, rendered, saved and opened again.

Runs in a Blender with a window and the extension; `steps(ui)` is a generator, each `yield` gives
Blender time. MATCHMOVE_FRAMES names a folder of numbered frames, such as
`out/matchmove/shots/low_parallax/frames` of `benchmarks/matchmove.py`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
MODULE = "bl_ext.user_default.da3_reconstruction"
EVERY = 4
LONGEST_S = 420


def steps(ui: Any) -> Iterator[float]:  # noqa: ANN401 - from the driver
    """Run, set up, look at three frames, undo, save, open."""
    work = Path(tempfile.mkdtemp(prefix="matchmove-"))
    frames = work / "shot"
    frames.mkdir()
    names = sorted(Path(os.environ["MATCHMOVE_FRAMES"]).glob("*.png"))[::EVERY]
    for number, path in enumerate(names, 1):
        shutil.copyfile(path, frames / f"plate_{number:04d}.png")
    preferences = bpy.context.preferences.addons[MODULE].preferences
    preferences.engine_python = str(ROOT / ".env" / "engine" / "bin" / "python")
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    settings = bpy.context.scene.da3
    settings.output_folder = str(work / "results")
    settings.input_path = str(frames)
    settings.input_kind = "SEQUENCE"
    settings.model = "da3-tiny"
    settings.cameras = "TRIPOD"
    yield from ui.sidebar("DA3")
    yield 0.5
    with ui.context():
        bpy.ops.da3.reconstruct("INVOKE_DEFAULT")
    yield from ui.wait_for(lambda: find_root() is not None, timeout=LONGEST_S)
    yield 2.0
    ui.shot("matchmove-result")
    tell(f"facts {find_root()['da3_facts'].to_dict()}")
    with ui.context():
        # the second argument makes it a step that can be undone
        bpy.ops.da3.set_up_shot("EXEC_DEFAULT", True, test_objects=True)  # noqa: FBT003
    yield 1.0
    yield from look_at_frames(ui, len(names))
    ui.shading("MATERIAL")
    yield 20.0
    ui.shot("matchmove-material")
    ui.shading("SOLID")
    with ui.context():
        bpy.ops.ed.undo()
    yield 1.0
    tell(f"after undo: {sorted(ob.name for ob in bpy.data.objects)}")
    with ui.context():
        bpy.ops.ed.redo()
    yield 1.0
    tell(f"after redo: {sorted(ob.name for ob in bpy.data.objects)}")
    blend = work / "shot.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    yield 3.0
    yield from ui.sidebar("DA3")
    yield 1.0
    ui.shot("matchmove-opened")


def look_at_frames(ui: Any, last: int) -> Iterator[float]:  # noqa: ANN401 - from the driver
    """Look through the camera on the first, middle and last frame."""
    ui.area().spaces.active.region_3d.view_perspective = "CAMERA"
    for name, frame in (("first", 1), ("middle", last // 2), ("last", last)):
        bpy.context.scene.frame_set(frame)
        yield 2.0
        ui.shot(f"matchmove-{name}")


def find_root() -> Any:  # noqa: ANN401 - an object of Blender's
    """Return the root of the reconstruction, if it is there."""
    return next((ob for ob in bpy.data.objects if ob.get("da3_role") == "root"), None)


def tell(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"matchmove: {text}\n")
    sys.stdout.flush()
