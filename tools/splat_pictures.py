# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw one cloud of Gaussians by the reference, EEVEE, Cycles and the viewport, and compare.

Runs in a Python with the bpy wheel, from the repository's root:

    PYTHONPATH=. LIBGL_ALWAYS_SOFTWARE=1 .env/blender-5.2/bin/python -P tools/splat_pictures.py

Writes docs/pictures/splats.webp (one row a view: reference, EEVEE, Cycles, viewport) and prints
the table of docs/splats.md.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

from tests.addon import splat_scenes as scenes
from tests.splat_reference import measure_psnr, render, srgb_from_linear

if TYPE_CHECKING:
    from da3_blender.splats.cloud import GaussianCloud

ROOT = Path(__file__).resolve().parents[1]
COUNT = 12_000
SAMPLES = {"EEVEE": 4, "Cycles": 4}
WAYS = ("EEVEE", "Cycles", "viewport")


def load(name: str) -> Any:  # noqa: ANN401 - a module
    """Import a module of the scene room."""
    return importlib.import_module(f"da3_blender.scene.{name}")


def make_cloud() -> GaussianCloud:
    """Make a shell with stripes fine enough to show every error."""
    cloud = scenes.make_shell(COUNT)
    x, y, z = cloud.positions.T
    stripes = 0.5 + 0.5 * np.sign(np.sin(14 * x + 4 * np.sin(5 * y)) * np.sin(11 * z))
    harmonics = cloud.harmonics.copy()
    harmonics[:, :, 0] = harmonics[:, :, 0] * 0.9 + (stripes[:, None] - 0.5) * (1.1, 0.5, -0.8)
    return replace(cloud, harmonics=harmonics, scales=cloud.scales * np.float32(0.3))


def to_display(picture: np.ndarray, blend: str) -> np.ndarray:
    """Turn a picture on black into display values."""
    colours = np.clip(picture[..., :3], 0, 1)
    return srgb_from_linear(colours) if blend == "linear" else colours


def draw(way: str, ob: Any, camera: Any) -> np.ndarray:  # noqa: ANN401 - Blender's objects
    """Draw the scene from its camera."""
    if way == "viewport":
        drawing = load("splat_drawing")
        return scenes.draw_picture(lambda p, v: drawing.draw_splats([ob], p, v), camera)[1]
    engine = "CYCLES" if way == "Cycles" else load("compat").get_eevee_engine()
    scenes.set_up_render(bpy.context.scene, engine, SAMPLES[way])
    with tempfile.TemporaryDirectory() as folder:
        return scenes.render_picture(bpy.context.scene, Path(folder) / "a.exr")[0]


def main() -> None:
    """Make the picture and the table."""
    bpy.ops.wm.read_homefile(use_empty=True)
    scene, cloud = bpy.context.scene, make_cloud()
    ob = load("splat_object").make_splat_object("splats", cloud)
    scene.collection.objects.link(ob)
    camera = scenes.add_camera(scene)
    scenes.make_gpu_context(scene)
    load("splat_files").prepare_cycles(scene)
    load("splat_inputs").match_render_width(scene)
    modifier = load("splat_inputs").find_splat_modifier(ob)
    rows = []
    for blend in ("display", "linear"):
        load("compat").set_modifier_input(modifier, "Display Values", blend == "display")
        ob.update_tag()
        for number, eye in enumerate(scenes.EYES, start=1):
            w2c = scenes.look_from(eye)
            scenes.place(camera, w2c)
            size = (scenes.WIDTH, scenes.HEIGHT)
            wanted = to_display(render(cloud, w2c, scenes.K, size, blend=blend), blend)
            shown = [to_display(draw(way, ob, camera), blend) for way in WAYS]
            figures = " | ".join(f"{measure_psnr(p, wanted):.1f}" for p in shown)
            sys.stdout.write(f"| {blend}, view {number} | {figures} |\n")
            if blend == "display":
                rows.append(np.concatenate([wanted, *shown], axis=1))
    save(np.concatenate(rows), ROOT / "docs" / "pictures" / "splats.webp")


def save(picture: np.ndarray, path: Path) -> None:
    """Write display values as WebP."""
    height, width = picture.shape[:2]
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = picture
    image = bpy.data.images.new("picture", width, height)
    image.colorspace_settings.name = "Non-Color"
    image.pixels.foreach_set(pixels[::-1].ravel())
    image.filepath_raw, image.file_format = str(path), "WEBP"
    image.save()


main()
