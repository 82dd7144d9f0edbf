# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders the shots with their truth; what is there already is not rendered again.

Runs under the bpy wheel: `python -m benchmarks.matchmove_shots.render_shots OUT [SHOT ...]`.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import time
from pathlib import Path

import bpy
import numpy as np
from PIL import Image

from .hidden_points import choose_points, find_visible
from .motions import FRAMES, SHOTS, WIDTH, ShotPlan, plan_shot
from .rendering import aim_camera, render_colours, render_depth, render_moving, set_up
from .scenery import add_walker, build_place
from .shot import Shot, Truth, name_frame, open_shot

Array = np.ndarray
LOG = logging.getLogger("render_shots")
_FORMAT = 1  # of what is rendered: raise it when pictures change
_SUPER = 2  # rendered pixels per pixel of the plate, each way
_OVERSCAN = 1.25  # of a picture that gets bent
_GRID = 504  # pixels of the longer side of the depth maps
_PATCH = 14
_NOISE = 1.0  # of the sensor in the dark, steps of 8 bit; more where it is bright
_GROW_PX = 3  # by which masks are larger than what moves


def render_shot(shot: Shot, plan: ShotPlan, scene: bpy.types.Scene) -> float:
    """Render what is missing of a shot; return seconds a frame, 0 where nothing was."""
    facts = {"format": _FORMAT, "frames": len(plan.w2c), "size": [plan.width, plan.height]}
    _begin(shot.folder, facts)
    walker = add_walker(scene) if plan.walker is not None else None
    shot.frames.mkdir(exist_ok=True)
    maps = shot.folder / "maps"
    maps.mkdir(exist_ok=True)
    began, count = time.perf_counter(), 0
    for frame in range(len(plan.w2c)):
        path = shot.frames / name_frame(shot.name, frame)
        target = maps / f"{frame:04d}.npz"
        if path.exists() and target.exists():
            continue
        if walker is not None:
            walker.location = plan.walker[frame]
            walker.rotation_euler = (0, 0, 0.3 * np.sin(0.4 * frame) + 0.7)
        _save_maps(scene, plan, frame, target, walker)
        if walker is not None:
            _save_mask(scene, plan, frame, shot)
        picture = _add_noise(_film(scene, plan, frame), [_FORMAT, frame])
        part = path.with_suffix(".part")
        Image.fromarray(picture).save(part, format="PNG", compress_level=1)
        part.rename(path)
        count += 1
    if walker is not None:
        bpy.data.objects.remove(walker)
    seconds = (time.perf_counter() - began) / max(count, 1)
    _collect_truth(shot, plan, maps)
    shutil.rmtree(maps)
    return seconds if count else 0.0


def _begin(folder: Path, facts: dict[str, object]) -> None:
    """Empty a folder that holds something else."""
    told = folder / "facts.json"
    if told.exists() and json.loads(told.read_text(encoding="utf-8")) == facts:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    told.write_text(json.dumps(facts) + "\n", encoding="utf-8")


def _film(scene: bpy.types.Scene, plan: ShotPlan, frame: int) -> Array:
    """Render a frame through its lens, (H, W, 3) float, display values of 0 to 255."""
    over = _OVERSCAN if any(plan.distortion) else 1.0
    width, height = (2 * round(side * _SUPER * over / 2) for side in (plan.width, plan.height))
    K = plan.K[frame].copy()
    shift = np.array([width, height]) / _SUPER / 2 - K[:2, 2]  # the middle stays the middle
    K[:2, 2] += shift
    aim_camera(scene, plan.w2c[frame], np.diag([_SUPER, _SUPER, 1]) @ K, width, height)
    seen = render_colours(scene).astype(np.float32)
    if over > 1:
        seen = _bend(seen, plan, frame, shift)
    size = (plan.height, _SUPER, plan.width, _SUPER, 3)
    return seen.reshape(size).mean((1, 3))


def _bend(seen: Array, plan: ShotPlan, frame: int, shift: Array) -> Array:
    """Resample a large pinhole picture as the lens shows it, _SUPER samples a pixel each way."""
    x = (np.arange(plan.width * _SUPER) + 0.5) / _SUPER
    y = (np.arange(plan.height * _SUPER) + 0.5) / _SUPER
    photo = np.stack(np.meshgrid(x, y), axis=-1)
    pinhole = plan.make_lens(frame).photo_to_pinhole(photo) + shift
    at = pinhole * _SUPER - 0.5
    if not (at >= 0).all() or not (at[..., 0] < seen.shape[1] - 1).all():
        message = f"the lens of frame {frame} sees beyond the rendered picture"
        raise ValueError(message)
    column, row = np.floor(at).astype(int).transpose(2, 0, 1)
    right, below = ((at - np.floor(at))[..., index, None].astype(np.float32) for index in (0, 1))
    upper = seen[row, column] * (1 - right) + seen[row, column + 1] * right
    lower = seen[row + 1, column] * (1 - right) + seen[row + 1, column + 1] * right
    return upper * (1 - below) + lower * below


def _add_noise(picture: Array, seed: list[int]) -> Array:
    rng = np.random.default_rng(seed)
    sigma = np.sqrt(_NOISE**2 + 0.008 * picture)
    noisy = picture + sigma * rng.standard_normal(picture.shape, np.float32)
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def find_grid(width: int, height: int) -> tuple[int, int]:
    """Return width and height of the depth maps of a plate."""
    scale = _GRID / max(width, height)
    wide, high = (_PATCH * round(side * scale / _PATCH) for side in (width, height))
    return wide, high


def _scale_to_grid(plan: ShotPlan, frame: int) -> tuple[Array, int, int]:
    wide, high = find_grid(plan.width, plan.height)
    K = np.diag([wide / plan.width, high / plan.height, 1.0]) @ plan.K[frame]
    return K, wide, high


def _save_maps(
    scene: bpy.types.Scene,
    plan: ShotPlan,
    frame: int,
    target: Path,
    walker: bpy.types.Object | None,
) -> None:
    aim_camera(scene, plan.w2c[frame], *_scale_to_grid(plan, frame))
    depth = render_depth(scene)
    moving = np.zeros(depth.shape, bool)
    if walker is not None:
        moving = render_moving(scene, walker)
    part = target.with_suffix(".part.npz")
    np.savez(part, depth=depth, moving=moving)
    part.rename(target)


def _save_mask(scene: bpy.types.Scene, plan: ShotPlan, frame: int, shot: Shot) -> None:
    """Write where something moves in black, a little larger than it is."""
    walker = scene.objects["walker"]
    aim_camera(scene, plan.w2c[frame], plan.K[frame], plan.width, plan.height)
    moving = render_moving(scene, walker)
    for _ in range(_GROW_PX):
        grown = moving.copy()
        grown[1:] |= moving[:-1]
        grown[:-1] |= moving[1:]
        grown[:, 1:] |= moving[:, :-1]
        grown[:, :-1] |= moving[:, 1:]
        moving = grown
    folder = shot.folder / "masks"
    folder.mkdir(exist_ok=True)
    mask = np.where(moving, 0, 255).astype(np.uint8)
    Image.fromarray(mask).save(folder / name_frame(shot.name, frame))


def _collect_truth(shot: Shot, plan: ShotPlan, maps: Path) -> None:
    files = [np.load(path) for path in sorted(maps.glob("*.npz"))]
    depth = np.stack([file["depth"] for file in files])
    moving = np.stack([file["moving"] for file in files])
    frames = len(plan.w2c)
    K_grid = np.stack([_scale_to_grid(plan, frame)[0] for frame in range(frames)])
    points = choose_points(plan.w2c, K_grid, depth, moving, seed=_FORMAT)
    truth = Truth(
        plan.w2c,
        plan.K,
        np.tile(plan.distortion, (frames, 1)).astype(float),
        (plan.width, plan.height),
        depth,
        points,
        np.zeros((frames, len(points), 2)),
        find_visible(points, plan.w2c, K_grid, depth),
    )
    for frame in range(frames):
        truth.pixels[frame] = _project(truth, frame)
    inside = (truth.pixels >= 0).all(-1) & (truth.pixels < truth.size).all(-1)
    truth.visible[:] &= inside
    truth.save(shot.folder / "truth.npz")


def _project(truth: Truth, frame: int) -> Array:
    camera = truth.points @ truth.w2c[frame, :3, :3].T + truth.w2c[frame, :3, 3]
    pinhole = camera @ truth.K[frame].T
    return truth.make_lens(frame).pinhole_to_photo(pinhole[:, :2] / pinhole[:, 2:])


def open_place(out: Path, place: str) -> bpy.types.Scene:
    """Build a place, or load it where it was built before."""
    path = out / "shots" / f"{place}-{_FORMAT}.blend"
    if path.exists():
        bpy.ops.wm.open_mainfile(filepath=str(path))
        return bpy.context.scene
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    build_place(scene, place)
    set_up(scene)
    path.parent.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True)
    return scene


def main() -> None:
    """Render the shots that are asked for."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("shots", nargs="*", default=list(SHOTS))
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--width", type=int, default=WIDTH, help="pixels of the longer side")
    arguments = parser.parse_args()
    plans = {name: plan_shot(name, arguments.frames, arguments.width) for name in arguments.shots}
    for place in dict.fromkeys(plan.place for plan in plans.values()):
        scene = None
        for name, plan in plans.items():
            shot = open_shot(arguments.out, name)
            if plan.place != place or _is_rendered(shot, plan):
                continue
            scene = scene or open_place(arguments.out, place)
            seconds = render_shot(shot, plan, scene)
            LOG.info("%s: %.2f s a frame", name, seconds)


def _is_rendered(shot: Shot, plan: ShotPlan) -> bool:
    if not shot.is_complete():
        return False
    truth = shot.load_truth()
    facts = json.loads((shot.folder / "facts.json").read_text(encoding="utf-8"))
    return (
        facts["format"] == _FORMAT
        and len(truth.w2c) == len(plan.w2c)
        and truth.size == (plan.width, plan.height)
    )


if __name__ == "__main__":
    main()
