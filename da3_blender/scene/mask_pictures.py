# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender mask as a folder of pictures, which the engine can read.

Runs in Blender. Blender draws the mask itself, in a scene of its own, so feather, animation and
the shape between keys are those of the Mask editor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import bpy

from .compat import make_compositor_output

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bpy.types import Mask, Scene

_SCENE: Final = "DA3 mask"


def write_mask(mask: Mask, folder: Path, frames: range, size: tuple[int, int]) -> Iterator[Path]:
    """Write one grey PNG for each frame, white inside the mask.

    Args:
        mask: to draw.
        folder: made if it is missing; pictures of the same names are replaced.
        frames: numbers on the time line.
        size: width and height of the plate in pixels: it decides where the mask lies.

    Yields:
        The path of each picture when it is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scene = bpy.data.scenes.new(_SCENE)
    groups = set(bpy.data.node_groups)
    try:
        _set_up(scene, mask, size)
        for frame in frames:
            scene.frame_set(frame)
            path = folder / f"mask_{frame:06d}.png"
            scene.render.filepath = str(path)
            bpy.ops.render.render(write_still=True, scene=scene.name)
            yield path
    finally:
        bpy.data.scenes.remove(scene)
        bpy.data.batch_remove(set(bpy.data.node_groups) - groups)


def _set_up(scene: Scene, mask: Mask, size: tuple[int, int]) -> None:
    """Let the scene render nothing but the mask."""
    render = scene.render
    render.engine = "BLENDER_WORKBENCH"  # nothing is rendered; it starts the fastest
    render.resolution_x, render.resolution_y = size
    render.resolution_percentage = 100
    render.use_compositing, render.use_sequencer = True, False
    render.image_settings.file_format = "PNG"
    render.image_settings.color_mode = "BW"
    scene.view_settings.view_transform = "Raw"
    tree, output = make_compositor_output(scene)
    node = tree.nodes.new("CompositorNodeMask")
    node.mask = mask
    tree.links.new(node.outputs[0], output)
