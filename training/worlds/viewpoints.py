# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where cameras stand in a world, and their lenses.

Runs in the environment `training`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from .caster import cast
from .solids import find_inside

if TYPE_CHECKING:
    from numpy.random import Generator

    from .world import World

_TRIES = 12
_GRID = (6, 8)
"""Rows and columns of the few rays that judge a viewpoint."""
_NEAREST_MEDIAN = 0.6
_NEAREST_TENTH = 0.25
_MOST_SKY = 0.6
_LEAST_OVERLAP = 0.35
_CLEARANCE = 0.12


class Cameras(NamedTuple):
    """Cameras of one scene.

    Attributes:
        w2c: (N, 4, 4) float32, OpenCV world-to-camera.
        K: (N, 3, 3) float32, pixels; principal point in the middle.
    """

    w2c: torch.Tensor
    K: torch.Tensor


class Path(NamedTuple):
    """Positions (N, 3) and viewing directions (N, 3), world, float64."""

    positions: np.ndarray
    forward: np.ndarray


def place_cameras(world: World, count: int, size: tuple[int, int], random: Generator) -> Cameras:
    """Choose cameras that stand free, see something and share what they see.

    Args:
        world: the scene.
        count: number of views N.
        size: height and width of the pictures.
        random: source of all choices.

    Returns:
        The cameras; the best of some tries.
    """
    K = choose_lenses(count, size, random)
    best, best_score = None, -1.0
    for _ in range(_TRIES):
        path = _PATHS[int(random.integers(len(_PATHS)))](world, count, random)
        w2c = _aim(path, random.normal(0, np.radians(2.5), count))
        if random.random() < 0.4:  # noqa: PLR2004
            w2c = w2c[random.permutation(count)]
        cameras = Cameras(torch.from_numpy(w2c).float(), K)
        score = _score(world, cameras, size)
        if score > best_score:
            best, best_score = cameras, score
        if score >= 1:
            break
    return best


def choose_lenses(count: int, size: tuple[int, int], random: Generator) -> torch.Tensor:
    """Choose K (N, 3, 3): 35 to 100 degrees along the longer side, mostly one lens for all."""
    height, width = size
    usual = random.random() < 0.6  # noqa: PLR2004
    view = np.radians(random.uniform(48, 80) if usual else random.uniform(35, 100))
    focal = np.full(count, max(size) / 2 / np.tan(view / 2))
    if random.random() < 0.15:  # noqa: PLR2004
        focal = np.clip(focal * random.uniform(0.75, 1.3, count), 0.42 * max(size), 1.6 * max(size))
    K = np.zeros((count, 3, 3), np.float32)
    K[:, 0, 0] = K[:, 1, 1] = focal
    K[:, 0, 2], K[:, 1, 2], K[:, 2, 2] = width / 2, height / 2, 1
    return torch.from_numpy(K)


def _aim(path: Path, roll: np.ndarray) -> np.ndarray:
    """Return w2c (N, 4, 4) for a path, upright but for `roll` (N,) radians."""
    forward = path.forward / np.linalg.norm(path.forward, axis=1, keepdims=True)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    down = np.cross(forward, right)
    cos, sin = np.cos(roll)[:, None], np.sin(roll)[:, None]
    rotation = np.stack((cos * right + sin * down, cos * down - sin * right, forward), 1)
    w2c = np.tile(np.eye(4), (len(roll), 1, 1))
    w2c[:, :3, :3] = rotation
    w2c[:, :3, 3] = -(rotation @ path.positions[:, :, None])[:, :, 0]
    return w2c


def _score(world: World, cameras: Cameras, size: tuple[int, int]) -> float:
    """Judge cameras by a few rays: 1 is good, less is worse."""
    count, (rows, columns) = len(cameras.K), _GRID
    height, width = size
    y, x = torch.meshgrid(
        (torch.arange(rows) + 0.5) / rows * height,
        (torch.arange(columns) + 0.5) / columns * width,
        indexing="ij",
    )
    pixels = torch.stack((x, y, torch.ones_like(x))).flatten(1)  # (3, G)
    c2w = torch.linalg.inv(cameras.w2c)
    rays = c2w[:, :3, :3] @ torch.linalg.inv(cameras.K) @ pixels  # (N, 3, G)
    origins = c2w[:, :3, 3:].expand_as(rays)
    hits = cast(world, origins.transpose(0, 1).flatten(1), rays.transpose(0, 1).flatten(1))
    depth = hits.distance.unflatten(0, (count, -1))  # (N, G)
    is_hit = depth.isfinite()
    median = torch.where(is_hit, depth, 50.0).median(1).values.min()
    near = torch.where(is_hit, depth, 50.0).quantile(0.1, dim=1).min()
    seen = is_hit.float().mean(1).min()
    free = (
        ~find_inside(world.every, c2w[:, :3, 3], _CLEARANCE)
        if world.sky
        else _find_free(world, c2w)
    )
    overlap = _measure_overlap(
        cameras, origins + depth.nan_to_num(posinf=0)[:, None] * rays, is_hit, size
    )
    parts = (
        float(median) / _NEAREST_MEDIAN,
        float(near) / _NEAREST_TENTH,
        float(seen) / (1 - _MOST_SKY),
        overlap / _LEAST_OVERLAP,
        float(free.float().mean()),
    )
    return float(np.prod(np.minimum(parts, 1)))


def _find_free(world: World, c2w: torch.Tensor) -> torch.Tensor:
    """Tell which cameras (N, 4, 4) of a closed room stand in nothing but the room itself."""
    every = world.every
    inner = every.casts_shadow  # the shell casts none
    things = every._replace(
        to_local=every.to_local[inner], centre=every.centre[inner], half_size=every.half_size[inner]
    )
    return ~find_inside(things, c2w[:, :3, 3], _CLEARANCE)


def _measure_overlap(
    cameras: Cameras, points: torch.Tensor, is_hit: torch.Tensor, size: tuple[int, int]
) -> float:
    """Return the smallest share of a view's points (N, 3, G) that another view has in frame."""
    count = len(points)
    if count == 1:
        return 1.0
    shares = torch.zeros(count, count)
    for other in range(count):
        w2c, K = cameras.w2c[other], cameras.K[other]
        x, y, z = (K @ (w2c[:3, :3] @ points + w2c[:3, 3:])).unbind(1)  # (N, G) each
        is_ahead = z > 0.05  # noqa: PLR2004
        u, v = x / z.clamp_min(1e-3), y / z.clamp_min(1e-3)
        inside = is_ahead & (u > 0) & (u < size[1]) & (v > 0) & (v < size[0]) & is_hit
        shares[:, other] = inside.float().sum(1) / is_hit.float().sum(1).clamp_min(1)
    shares.fill_diagonal_(0)
    return float(shares.amax(1).min())


def _pick_place(world: World, random: Generator) -> np.ndarray:
    low, high = world.region.numpy().astype(np.float64)
    return random.uniform(low, high)


def _pick_target(world: World, random: Generator) -> np.ndarray:
    if random.random() < 0.25:  # noqa: PLR2004  the surroundings instead of a thing
        angle = random.uniform(0, 2 * np.pi)
        centre = world.region.numpy().mean(0)
        return centre + np.array((np.cos(angle), np.sin(angle), random.normal(0, 0.1))) * 6.0
    return world.targets.numpy()[random.integers(len(world.targets))].astype(np.float64)


def _keep_inside(world: World, positions: np.ndarray) -> np.ndarray:
    low, high = world.region.numpy().astype(np.float64)
    return np.clip(positions, low, high)


def _turn_flat(direction: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Turn one direction (3,) about the vertical by several angles (N,)."""
    cos, sin = np.cos(angles), np.sin(angles)
    x, y, z = direction
    return np.stack((cos * x - sin * y, sin * x + cos * y, np.full_like(cos, z)), -1)


def _look(start: np.ndarray, target: np.ndarray, random: Generator) -> np.ndarray:
    """Return a unit direction to a target that is never steep."""
    direction = target - start + random.normal(0, 0.15, 3)
    flat = max(float(np.hypot(*direction[:2])), 0.2)
    direction[2] = np.clip(direction[2], -0.9 * flat, 0.6 * flat)
    direction[:2] += 1e-3
    return direction / np.linalg.norm(direction)


def _orbit(world: World, count: int, random: Generator) -> Path:
    target = _pick_target(world, random)
    start = _pick_place(world, random)
    step = np.radians(random.uniform(5, 26)) * random.choice((-1, 1))
    angles = (np.arange(count) + random.normal(0, 0.12, count)) * step
    offset = start - target
    reach = max(float(np.hypot(*offset[:2])), 0.8)
    offset[:2] *= reach / max(float(np.hypot(*offset[:2])), 1e-3)
    positions = target + _turn_flat(offset, angles)
    positions[:, 2] += random.normal(0, 0.15) * np.arange(count)
    positions = _keep_inside(world, positions)
    forward = np.stack([_look(place, target, random) for place in positions])
    return Path(positions, forward)


def _walk(world: World, count: int, random: Generator) -> Path:
    start = _pick_place(world, random)
    heading = _look(start, _pick_target(world, random), random)
    turn = np.radians(random.normal(0, 5)) * np.arange(count)
    step = random.uniform(0.15, 0.9)
    ahead = _turn_flat(heading, turn)
    ahead[:, 2] = 0
    bob = np.zeros((count, 3))
    bob[:, 2] = random.normal(0, 0.03, count)
    travelled = np.concatenate((np.zeros((1, 3)), np.cumsum(step * ahead[:-1], 0)))
    sway = np.radians(random.normal(0, 3, count))
    forward = _turn_flat(heading, turn + sway)
    forward[:, 2] += random.normal(0, 0.03, count)
    return Path(_keep_inside(world, start + travelled + bob), forward)


def _hold(world: World, count: int, random: Generator) -> Path:
    start, target = _pick_place(world, random), _pick_target(world, random)
    shake = random.uniform(0.05, 0.3)
    positions = _keep_inside(world, start + random.normal(0, shake, (count, 3)))
    direction = _look(start, target, random)
    forward = _turn_flat(direction, np.radians(random.normal(0, 5, count)))
    forward[:, 2] += random.normal(0, 0.06, count)
    return Path(positions, forward)


def _dolly(world: World, count: int, random: Generator) -> Path:
    start, target = _pick_place(world, random), _pick_target(world, random)
    direction = _look(start, target, random)
    side = np.cross(direction, (0, 0, 1.0))
    ways = (side, -side, direction, -direction, side + direction, np.array((0, 0, 0.6)))
    way = ways[int(random.integers(len(ways)))]
    positions = start + random.uniform(0.1, 0.6) * np.arange(count)[:, None] * way
    forward = np.tile(direction, (count, 1)) + random.normal(0, 0.01, (count, 3))
    return Path(_keep_inside(world, positions), forward)


def _pan(world: World, count: int, random: Generator) -> Path:
    start, target = _pick_place(world, random), _pick_target(world, random)
    direction = _look(start, target, random)
    angles = np.radians(random.uniform(5, 18)) * random.choice((-1, 1)) * np.arange(count)
    forward = _turn_flat(direction, angles)
    arm = random.uniform(0.08, 0.5)
    return Path(_keep_inside(world, start + arm * forward), forward)


def _photograph(world: World, count: int, random: Generator) -> Path:
    """Take photos of one thing from several places."""
    target, start = _pick_target(world, random), _pick_place(world, random)
    offset = start - target
    angles = np.radians(random.uniform(-45, 45, count))
    positions = target + _turn_flat(offset, angles) * random.uniform(0.75, 1.25, (count, 1))
    positions[:, 2] += random.normal(0, 0.25, count)
    positions = _keep_inside(world, positions)
    forward = np.stack([_look(place, target, random) for place in positions])
    return Path(positions, forward)


_PATHS = (_orbit, _orbit, _walk, _hold, _dolly, _pan, _photograph, _photograph)
