# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the main job once, the way a user does it, without a window.

Builds the extension, installs it into an empty Blender profile, and reconstructs a folder of
photos through the operator, the client and the worker. Runs in a Python that has the bpy wheel;
`make demo` calls it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENGINE = ROOT / ".env" / "engine" / "bin" / "python"
MODULE = "bl_ext.user_default.da3_reconstruction"


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input", type=Path, help="folder of photos, or a video")
    parser.add_argument("--out", type=Path, default=ROOT / "out", help="folder for the files")
    parser.add_argument("--cameras", choices=("AUTO", "DA3", "COLMAP"), default="AUTO")
    parser.add_argument("--model", default="da3-base", help="DA3 model")
    parser.add_argument("--checkpoint", default="", help="file or folder with its weights")
    parser.add_argument("--allow-download", action="store_true", help="fetch missing weights")
    return parser.parse_args()


def install_extension(profile: Path) -> None:
    """Build the zip, install and enable it in an empty Blender profile."""
    import bpy
    from build_extension import build_here

    archive = build_here(profile)
    bpy.ops.extensions.package_install_files(
        filepath=str(archive), repo="user_default", enable_on_install=True
    )
    if MODULE not in bpy.context.preferences.addons:
        sys.exit("The extension could not be enabled; see the lines above.")


def reconstruct(options: argparse.Namespace) -> str:
    """Press Reconstruct; return the results folder."""
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True)
    preferences = bpy.context.preferences.addons[MODULE].preferences
    preferences.engine_python = str(ENGINE)
    preferences.allow_downloads = options.allow_download
    if options.allow_download:
        bpy.context.preferences.system.use_online_access = True
    settings = bpy.context.scene.da3
    settings.input_path = str(options.input.resolve())
    settings.output_folder = str(options.out / "results")
    settings.cameras = options.cameras
    settings.model = options.model
    settings.checkpoint = options.checkpoint
    try:
        bpy.ops.da3.reconstruct(wait=True)
    except RuntimeError as error:  # what a failed operator becomes in a script
        sys.exit(str(error).removeprefix("Error: ").strip())
    root = next(ob for ob in bpy.data.objects if ob.get("da3_role") == "root")
    return root["da3_result"]


def print_summary(folder: Path, photos: Path) -> None:
    """Say what was found, and how far it is from the truth where that is known."""
    import numpy as np
    from compare_cameras import compare_cameras

    from da3_blender.contract.result_folder import load_result
    from da3_blender.evaluation.camera_files import CAMERAS_FILE

    result = load_result(folder)
    manifest = result.manifest
    views = manifest["views"]
    for note in manifest["notes"]:
        print(note)
    print(
        f"{manifest['solver']}: {len(views)} cameras, {len(manifest['lost'])} without, "
        f"{len(result.load('points'))} points, {manifest['seconds']:.0f} s"
    )
    K = np.asarray(result.load("K"))
    print(f"focal length {K[:, 0, 0].mean():.1f} px at {views[0]['width']} x {views[0]['height']}")
    truth = photos if photos.is_dir() else photos.parent
    if not (truth / CAMERAS_FILE).exists():
        return
    names = [view["name"] for view in views]
    print(f"against the truth: {compare_cameras(names, result.load('w2c'), K, truth)}")
    if result.has("depth") and (truth / "depth").is_dir():
        # reads pictures and looks for edges, so the engine's libraries are needed
        command = [ENGINE, "-P", ROOT / "tools" / "compare_depth.py", folder, truth]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def main() -> None:
    """Run the demo."""
    options = parse_arguments()
    options.out = options.out.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
    with tempfile.TemporaryDirectory(prefix="da3-demo-") as profile:
        os.environ["BLENDER_USER_RESOURCES"] = profile  # before bpy is first imported
        import bpy
        from overview_picture import draw_overview

        install_extension(Path(profile))
        folder = reconstruct(options)
        blend = options.out / "demo.blend"
        bpy.ops.wm.save_as_mainfile(filepath=str(blend))
        draw_overview(options.out / "demo.png")
        print_summary(Path(folder), options.input.resolve())
        print(f"{blend}\n{options.out / 'demo.png'}\n{folder}")
        bpy.ops.preferences.addon_disable(module=MODULE)


if __name__ == "__main__":
    main()
