# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render the sample photos: a courtyard by Cycles, with its true cameras beside the pictures.

Runs under the bpy wheel: `python tools/render_samples.py --out samples/courtyard --depth 7`. What
it writes is a scene in the layout of docs/evaluation.md.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import bpy  # noqa: E402
import numpy as np  # noqa: E402
from bpy_extras.object_utils import world_to_camera_view  # noqa: E402
from courtyard.exr import read_exr  # noqa: E402
from courtyard.scene import SEED, build_courtyard  # noqa: E402
from courtyard.walk import (  # noqa: E402
    LENS_MM,
    add_camera,
    measure_extrinsics,
    measure_intrinsics,
    plan_walk,
    project_points,
)
from mathutils import Vector  # noqa: E402
from PIL import ExifTags, Image  # noqa: E402

from da3_blender.evaluation.camera_files import CAMERAS_FILE, write_cameras_json  # noqa: E402
from da3_blender.evaluation.scene_facts import SCENE_FILE  # noqa: E402

Array = np.ndarray
LOG = logging.getLogger("render_samples")
JPEG_QUALITY = 80  # fourteen pictures of 1008 x 672 stay below 3 MB
SCENE_DIAGONAL_M = float(np.linalg.norm([6.0, 6.0, 3.0]))  # of the part that the pictures show


def read_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the pictures and cameras.json"
    )
    parser.add_argument(
        "--size", type=int, nargs=2, default=(1008, 672), metavar=("WIDTH", "HEIGHT")
    )
    parser.add_argument("--samples", type=int, default=28, help="Cycles samples a pixel")
    parser.add_argument("--views", type=int, default=14, help="number of pictures on the walk")
    parser.add_argument(
        "--only",
        type=int,
        nargs="*",
        help="numbers of the views to render, for a quick look; all by default",
    )
    parser.add_argument(
        "--depth",
        type=int,
        default=0,
        metavar="SHRINK",
        help="also write the true depth, so many times smaller: 16-bit PNG in millimetres along "
        "the optical axis, 0 for the sky",
    )
    parser.add_argument("--no-photos", action="store_true", help="leave the pictures as they are")
    return parser.parse_args()


def set_up_render(scene: bpy.types.Scene, width: int, height: int, samples: int) -> None:
    """Choose Cycles with few bounces, the denoiser with albedo and normals, and a natural view."""
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    cycles.device, cycles.seed, cycles.samples = "CPU", SEED, samples
    cycles.use_adaptive_sampling = False
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.denoising_input_passes, cycles.denoising_prefilter = "RGB_ALBEDO_NORMAL", "ACCURATE"
    (
        cycles.max_bounces,
        cycles.diffuse_bounces,
        cycles.glossy_bounces,
        cycles.transmission_bounces,
    ) = 3, 2, 1, 2
    cycles.sample_clamp_indirect = 4.0
    cycles.pixel_filter_type, cycles.filter_width = "BLACKMAN_HARRIS", 1.15
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    render.use_persistent_data = True
    render.use_compositing = render.use_sequencer = False
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"
    scene.view_settings.exposure = 0.5


def choose_png(scene: bpy.types.Scene) -> None:
    """Let the next render write an 8-bit picture."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # Blender 5.0 and later
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "8"
    scene.view_layers[0].use_pass_z = False


def choose_exr(scene: bpy.types.Scene) -> None:
    """Let the next render write the passes as they are."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # Blender 5.0 and later
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format, settings.color_depth, settings.exr_codec = (
        "OPEN_EXR_MULTILAYER",
        "32",
        "NONE",
    )
    scene.view_layers[0].use_pass_z = True


def render_photo(scene: bpy.types.Scene, target: Path) -> None:
    """Render the scene's camera to a JPEG with EXIF data."""
    choose_png(scene)
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder) / "view.png")
        bpy.ops.render.render(write_still=True)
        with Image.open(scene.render.filepath) as picture:
            photo = picture.convert("RGB")
    photo.save(
        target, quality=JPEG_QUALITY, optimize=True, progressive=True, exif=make_exif(photo.size)
    )


def make_exif(size: tuple[int, int]) -> Image.Exif:
    """Fill in what a camera would say of its lens."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Synthetic"
    exif[ExifTags.Base.Model] = f"Cycles {LENS_MM:g} mm"
    exif[ExifTags.Base.Orientation] = 1
    exif[ExifTags.Base.Software] = "tools/render_samples.py"
    lens = exif.get_ifd(ExifTags.IFD.Exif)
    lens[ExifTags.Base.FocalLength] = LENS_MM
    lens[ExifTags.Base.FocalLengthIn35mmFilm] = round(LENS_MM)
    lens[ExifTags.Base.ExifImageWidth], lens[ExifTags.Base.ExifImageHeight] = size
    return exif


def render_depth(scene: bpy.types.Scene, target: Path, shrink: int) -> None:
    """Render the scene's camera to a smaller depth map at the centres of its pixels."""
    choose_exr(scene)
    render, cycles = scene.render, scene.cycles
    before = cycles.samples, cycles.use_denoising, cycles.filter_width
    size = render.resolution_x, render.resolution_y
    cycles.samples, cycles.use_denoising, cycles.filter_width = 1, False, 0.01
    render.resolution_x, render.resolution_y = (side // shrink for side in size)
    with tempfile.TemporaryDirectory() as folder:
        render.filepath = str(Path(folder) / "view.exr")
        bpy.ops.render.render(write_still=True)
        depth_m = read_exr(Path(render.filepath))["ViewLayer.Depth.Z"]
    cycles.samples, cycles.use_denoising, cycles.filter_width = before
    render.resolution_x, render.resolution_y = size
    depth_mm = np.where(depth_m > 65.0, 0, np.round(depth_m * 1000)).astype(np.uint16)
    target.parent.mkdir(exist_ok=True)
    Image.fromarray(depth_mm).save(target, optimize=True)


def check_camera(scene: bpy.types.Scene, K: Array, w2c: Array) -> float:
    """Compare K and w2c with Blender's own projection; give the largest error in pixels."""
    points = np.array(
        [[x, y, z] for x in (-2.5, 0.0, 1.5) for y in (0.0, 2.9) for z in (0.0, 1.0, 2.5)]
    )
    size = np.array([scene.render.resolution_x, scene.render.resolution_y])
    seen = np.array(
        [world_to_camera_view(scene, scene.camera, Vector(point))[:2] for point in points]
    )
    expected = np.stack([seen[:, 0], 1 - seen[:, 1]], axis=1) * size
    return float(np.abs(expected - project_points(points, K, w2c)).max())


def main() -> None:
    """Build the courtyard, walk around it, write pictures and cameras."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments = read_arguments()
    width, height = arguments.size
    arguments.out.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    started = time.perf_counter()
    build_courtyard(scene)
    camera = add_camera(scene)
    set_up_render(scene, width, height, arguments.samples)
    LOG.info("built in %.0f s", time.perf_counter() - started)
    cameras = []
    for number, place in enumerate(plan_walk(arguments.views, SEED), 1):
        camera.matrix_world = place
        bpy.context.view_layer.update()
        K, w2c = measure_intrinsics(camera, width, height), measure_extrinsics(camera)
        error = check_camera(scene, K, w2c)
        if error > 0.01:
            raise ValueError(f"view {number}: the cameras differ by {error:.4f} px")
        name = f"courtyard_{number:02d}.jpg"
        cameras.append((name, K, w2c))
        if arguments.only and number not in arguments.only:
            continue
        if not arguments.no_photos:
            render_photo(scene, arguments.out / name)
        if arguments.depth:
            target = (arguments.out / "depth" / name).with_suffix(".png")
            render_depth(scene, target, arguments.depth)
        LOG.info(
            "%s after %.0f s, cameras agree to %.5f px", name, time.perf_counter() - started, error
        )
    write_cameras_json(
        arguments.out / CAMERAS_FILE,
        [name for name, _, _ in cameras],
        [(width, height)] * len(cameras),
        np.array([w2c for _, _, w2c in cameras]),
        np.array([K for _, K, _ in cameras]),
    )
    facts = {"units": "m", "diagonal": SCENE_DIAGONAL_M}
    (arguments.out / SCENE_FILE).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
