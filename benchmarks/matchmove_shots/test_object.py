# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Films a test object with solved cameras: a checkered cube with a cone, pinned to hidden points.

Runs under the bpy wheel: `python -m benchmarks.matchmove_shots.test_object OUT SOLVER SHOT ...`.
Plates are freed of the solved distortion first, so that Blender's pinhole fits them. A ring shows
where the middle of the object's foot truly is; what is between ring and foot is slip.
"""

from __future__ import annotations

import argparse
import io
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import bpy
import numpy as np
from mathutils import Matrix
from PIL import Image, ImageDraw

from da3_blender.contract.cameras import (
    invert_rigid,
    to_blender_points,
    to_blender_similarity,
)
from da3_blender.contract.similarity import Sim3, fit_sim3

from .pinning import pin_points
from .rendering import aim_camera, render_colours, set_up
from .shot import Shot, Truth, open_shot
from .solved import Solved, load_solved, place_solved

Array = np.ndarray
_SIDE_M = 0.3
_SQUARES = 4  # along an edge
_NEAREST = 16  # hidden points that hold the object
_GROUND_M = 0.2  # height below which a hidden point is ground
_PANEL = 480  # pixels of the longer side
_CROP = 0.5  # share of the plate that a panel shows
_MOST_BYTES = 120_000
_TURNS_ONLY = 1e-4  # path of the camera, share of the median depth, below which it only turns
_SUPER = 2
_RING_PX = 5


class Pinned(NamedTuple):
    """Where the object stands.

    Args:
        frames: three of them that see the point.
        point: index of the hidden point at the middle of its foot.
        solved_from_true: similarity that holds near that point.
    """

    frames: list[int]
    point: int
    solved_from_true: Sim3


def pin_object(truth: Truth, solved: Solved) -> Pinned:
    """Choose a hidden point and frames, and find the object's place in the solved world.

    Raises:
        ValueError: no hidden point is pinned.
    """
    places = _place_points(truth, solved)
    usable = np.isfinite(places).all(1)
    placed = np.array(solved.list_placed())
    seen = truth.visible[placed] & usable
    if not seen.any():
        message = "no hidden point could be pinned"
        raise ValueError(message)
    if not seen[_pick(len(placed))].all(0).any():
        # The camera leaves everything behind: the frames are those of a point seen for long.
        placed = placed[seen[:, seen.sum(0).argmax()]]
        seen = truth.visible[placed] & usable
    chosen = _pick(len(placed))
    away = np.linalg.norm(truth.pixels[placed[chosen[1]]] / truth.size - [0.5, 0.62], axis=1)
    high = to_blender_points(truth.points)[:, 2] > _GROUND_M
    point = int(np.argmin(away + 10.0 * high + 100.0 * ~seen[chosen].all(0)))
    distance = np.linalg.norm(truth.points[usable] - truth.points[point], axis=1)
    near = np.flatnonzero(usable)[np.argsort(distance)[:_NEAREST]]
    fitted = fit_sim3(truth.points[near], places[near])
    return Pinned([int(frame) for frame in placed[chosen]], point, fitted)


def _pick(count: int) -> list[int]:
    """Return the first, the middle and the last of so many."""
    return [0, count // 2, count - 1]


def _place_points(truth: Truth, solved: Solved) -> Array:
    """Return (P, 3) places in the solved world; NaN where a point is not pinned.

    A camera that only turns tells directions; the points are then taken as far away as they are.
    """
    pinned = pin_points(truth.pixels, truth.visible, solved)
    true_centres = invert_rigid(truth.w2c)[:, :3, 3]
    path = np.linalg.norm(true_centres - true_centres.mean(0), axis=1).max()
    if path > _TURNS_ONLY * truth.median_depth:
        with np.errstate(divide="ignore", invalid="ignore"):
            return pinned[:, :3] / pinned[:, 3:]
    placed = np.isfinite(solved.w2c).all((1, 2))
    centre = invert_rigid(solved.w2c[placed])[:, :3, 3].mean(0)
    away = pinned[:, :3] - pinned[:, 3:] * centre
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    ahead = solved.w2c[placed][:, 2, :3].mean(0)
    away *= np.sign(away @ ahead)[:, None]
    far = np.linalg.norm(truth.points - true_centres.mean(0), axis=1)
    return centre + away * far[:, None]


def build_object(scene: bpy.types.Scene) -> bpy.types.Object:
    """Build the cube with the cone, its foot at the origin, in the scene's units."""
    corners, colours = [], []
    step = 1 / _SQUARES
    sun = np.array([0.5, -0.7, 1.0]) / np.linalg.norm([0.5, -0.7, 1.0])
    for axis in range(3):
        for side in (0, 1):
            normal = np.eye(3)[axis] * (2 * side - 1)
            light = 0.35 + 0.65 * max(0.0, float(normal @ sun))
            for row, column in np.ndindex(_SQUARES, _SQUARES):
                square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) + [row, column]
                corners.append(np.insert(square * step, axis, side, axis=1))
                tint = (0.8, 0.05, 0.03) if (row + column) % 2 else (0.85, 0.85, 0.8)
                colours.append(np.tile(np.multiply(tint, light), (4, 1)))
    around = np.linspace(0, 2 * np.pi, 25)
    for first, second in pairwise(around):
        rim = [[0.5 + 0.4 * np.cos(a), 0.5 + 0.4 * np.sin(a), 1.0] for a in (first, second)]
        corners.append(np.array([rim[0], rim[1], [0.5, 0.5, 2.0], [0.5, 0.5, 2.0]]))
        outward = np.array([np.cos(first), np.sin(first), 0.4])
        light = 0.3 + 0.7 * max(0.0, float(outward @ sun) / 1.08)
        colours.append(np.tile(np.multiply((0.05, 0.25, 0.8), light), (4, 1)))
    points = (np.concatenate(corners) - [0.5, 0.5, 0]) * _SIDE_M
    mesh = bpy.data.meshes.new("test object")
    mesh.from_pydata(points, [], np.arange(len(points)).reshape(-1, 4))
    whole = np.ones((len(points), 4), np.float32)
    whole[:, :3] = np.concatenate(colours)
    lit = mesh.color_attributes.new("lit", "FLOAT_COLOR", "POINT")
    lit.data.foreach_set("color", whole.ravel())
    mesh.color_attributes.active_color = lit
    thing = bpy.data.objects.new("test object", mesh)
    scene.collection.objects.link(thing)
    return thing


def film(shot: Shot, solved: Solved, scene: bpy.types.Scene) -> Image.Image:
    """Film the object in the first, middle and last frame that have a camera and see it."""
    truth = shot.load_truth()
    pinned = pin_object(truth, solved)
    thing = build_object(scene)
    foot = to_blender_points(truth.points[pinned.point][None])[0]
    stand = np.eye(4)
    stand[:3, 3] = foot
    placed_at = to_blender_similarity(pinned.solved_from_true) @ stand
    thing.matrix_world = Matrix(placed_at.tolist())
    scale = pinned.solved_from_true.scale
    scene.camera.data.clip_start, scene.camera.data.clip_end = 0.1 * scale, 100 * scale
    bpy.context.view_layer.update()
    panels = [_make_panel(shot, truth, solved, frame, pinned.point) for frame in pinned.frames]
    bpy.data.objects.remove(thing)
    width, height = panels[0].size
    strip = Image.new("RGB", (3 * width, height))
    for index, panel in enumerate(panels):
        strip.paste(panel, (index * width, 0))
    return strip


def _make_panel(shot: Shot, truth: Truth, solved: Solved, frame: int, point: int) -> Image.Image:
    lens = solved.lenses[frame]
    width, height = truth.size
    scene = bpy.context.scene
    plate = np.array(Image.open(shot.list_frames()[frame]).convert("RGB"), np.float32)
    hidden = np.zeros((height, width), np.float32)
    if shot.masks is not None:
        mask = np.array(Image.open(shot.masks / shot.list_frames()[frame].name).convert("L"))
        hidden = (mask < 128).astype(np.float32)  # noqa: PLR2004 - half of 256
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    at = lens.pinhole_to_photo(np.stack([x, y], axis=-1))
    plate, hidden = _sample(plate, at), _sample(hidden[..., None], at)
    aim_camera(
        scene,
        solved.w2c[frame],
        np.diag([_SUPER, _SUPER, 1]) @ lens.K,
        width * _SUPER,
        height * _SUPER,
    )
    colour, cover = _render_over(scene)
    cover = cover * (1 - hidden)
    picture = Image.fromarray(
        np.clip(plate * (1 - cover) + colour * cover, 0, 255).astype(np.uint8)
    )
    true = lens.photo_to_pinhole(truth.pixels[frame, point])
    ring = [*(true - _RING_PX), *(true + _RING_PX)]
    ImageDraw.Draw(picture).ellipse([float(v) for v in ring], outline=(255, 255, 0), width=2)
    return _crop(picture, true)


def _sample(picture: Array, at: Array) -> Array:
    """Sample (H, W, C) at (..., 2) pixels, linearly; the border goes on for ever."""
    height, width = picture.shape[:2]
    at = np.clip(at - 0.5, 0, [width - 1.001, height - 1.001])
    column, row = np.floor(at).astype(int).transpose(2, 0, 1)
    right, below = ((at - np.floor(at))[..., index, None] for index in (0, 1))
    upper = picture[row, column] * (1 - right) + picture[row, column + 1] * right
    lower = picture[row + 1, column] * (1 - right) + picture[row + 1, column + 1] * right
    return upper * (1 - below) + lower * below


def _render_over(scene: bpy.types.Scene) -> tuple[Array, Array]:
    """Render the object alone: colour (H, W, 3) of 0 to 255, and how much it covers (H, W, 1)."""
    seen = []
    for sky in (0.0, 1.0):
        scene.world.color = (sky, sky, sky)
        picture = render_colours(scene).astype(np.float32)
        height, width = picture.shape[:2]
        size = (height // _SUPER, _SUPER, width // _SUPER, _SUPER, 3)
        seen.append(picture.reshape(size).mean((1, 3)))
    cover = np.clip(1 - (seen[1] - seen[0]).mean(-1, keepdims=True) / 255, 0, 1)
    return seen[0] / np.maximum(cover, 1e-3), cover


def _crop(picture: Image.Image, middle: Array) -> Image.Image:
    """Cut out what is around a pixel, inside the picture, and scale it to a panel."""
    wide, high = (round(side * _CROP) for side in picture.size)
    left = int(np.clip(middle[0] - wide / 2, 0, picture.width - wide))
    top = int(np.clip(middle[1] - high * 0.6, 0, picture.height - high))
    part = picture.crop((left, top, left + wide, top + high))
    scale = _PANEL / max(part.size)
    size = (round(part.width * scale), round(part.height * scale))
    return part.resize(size, Image.Resampling.LANCZOS)


def save_small(picture: Image.Image, path: Path) -> None:
    """Write a WebP file that is small enough."""
    for quality in range(90, 20, -5):
        file = io.BytesIO()
        picture.save(file, "WEBP", quality=quality, method=6)
        if file.tell() < _MOST_BYTES:
            break
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.getvalue())


def main() -> None:
    """Film the shots that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("solver")
    parser.add_argument("shots", nargs="+")
    arguments = parser.parse_args()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    set_up(bpy.context.scene)
    for name in arguments.shots:
        solved = load_solved(place_solved(arguments.out, name, arguments.solver))
        if not solved.list_placed():
            print(f"{name}: {arguments.solver} found no cameras")  # noqa: T201 - a script
            continue
        picture = film(open_shot(arguments.out, name), solved, bpy.context.scene)
        save_small(picture, arguments.out / "pictures" / f"matchmove-{name}.webp")


if __name__ == "__main__":
    main()
