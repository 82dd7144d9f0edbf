# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cast rays into a world: nearest hits, light and shadow, whole views.

Runs in the environment `training`. Rays of a view have z = 1 in the camera's frame, so the
distance along a ray is the depth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from .solids import Kind, Solids, find_local_normals, intersect
from .textures import paint

if TYPE_CHECKING:
    from .world import Terrain, World

FARTHEST = 80.0
"""Beyond this depth there is only sky."""
_TERRAIN_START = 0.2
_TERRAIN_GROWTH = 1.08
_TERRAIN_LONGEST_STEP = 0.7
"""Short enough that no crest worth a pixel is stepped over."""
_TERRAIN_REFINEMENTS = 8
_SHADOW_BIAS = 2e-3
_SUN_DISTANCE = 100.0
_STEEPEST = 0.12
"""Cosine below which a pixel's footprint grows no more."""
_SHORTEST = 1e-12
_SHINE_POWER = 24.0
_CLOUD_SCALE = 2.5


class Hits(NamedTuple):
    """Where rays end.

    Attributes:
        distance: (R,) float32, along the ray as given; infinite for sky.
        index: (R,) int64, solid in the order of `World.every`; the number of solids for terrain.
    """

    distance: Tensor
    index: Tensor


class RenderedView(NamedTuple):
    """One view.

    Attributes:
        colour: (H, W, 3) float32, linear RGB, unbounded.
        depth: (H, W) float32, world units along the optical axis; 0 for sky.
    """

    colour: Tensor
    depth: Tensor


def cast(world: World, origin: Tensor, direction: Tensor) -> Hits:
    """Find the nearest hit of each ray.

    Args:
        world: the scene.
        origin: (3, R) or (3, 1) float32, world.
        direction: (3, R) float32, world, any length.

    Returns:
        The hits.
    """
    distances = [intersect(stack, origin, direction) for stack in world.solids]
    if world.terrain is not None:
        distances.append(_march(world.terrain, origin, direction)[None])
    distance, index = torch.cat(distances).min(0)
    return Hits(torch.where(distance < FARTHEST, distance, torch.inf), index)


def make_view_rays(w2c: Tensor, K: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Make the rays through the pixel centres of a view.

    Args:
        w2c: (4, 4) float32, OpenCV world-to-camera.
        K: (3, 3) float32, pixels of an image of `size`.
        size: height and width.

    Returns:
        origin (3, 1) and directions (3, H*W), world, z = 1 in the camera's frame.
    """
    height, width = size
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    x, y = (x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1]
    rays = torch.stack((x, y, torch.ones_like(x))).flatten(1)  # (3, H*W)
    rotation = w2c[:3, :3].T
    return -rotation @ w2c[:3, 3:], rotation @ rays


def render(world: World, w2c: Tensor, K: Tensor, size: tuple[int, int]) -> RenderedView:
    """Render one view.

    Args:
        world: the scene.
        w2c: (4, 4) float32, OpenCV world-to-camera.
        K: (3, 3) float32, pixels of an image of `size`.
        size: height and width.

    Returns:
        Colours and exact depth.
    """
    origin, direction = make_view_rays(w2c, K, size)
    hits = cast(world, origin, direction)
    is_sky = ~hits.distance.isfinite()
    colour = torch.zeros(direction.shape[1], 3)
    ground = (~is_sky).nonzero()[:, 0]
    pixel = float(1.0 / K[0, 0])
    if len(ground):
        part = Hits(hits.distance[ground], hits.index[ground])
        colour[ground] = _shade(world, origin, direction[:, ground], part, pixel)
    if world.sky is not None and is_sky.any():
        above = is_sky.nonzero()[:, 0]
        colour[above] = _paint_sky(world, direction[:, above])
    depth = torch.where(is_sky, 0.0, hits.distance)
    return RenderedView(colour.unflatten(0, size), depth.unflatten(0, size))


def _march(terrain: Terrain, origin: Tensor, direction: Tensor) -> Tensor:
    """Find where rays (3, R) first go below the terrain: steps, then bisection."""
    steps = _list_terrain_steps()
    x, y, z = (origin[axis] + steps[:, None] * direction[axis] for axis in range(3))  # (S, R)
    is_below = z < terrain.find_height(x, y)
    first = is_below.to(torch.uint8).argmax(0)  # (R,)
    high = steps[first]
    low = torch.where(first > 0, steps[(first - 1).clamp_min(0)], 0.0)
    for _ in range(2 * _TERRAIN_REFINEMENTS):
        middle = (low + high) / 2
        x, y, z = (origin[axis] + middle * direction[axis] for axis in range(3))
        below = z < terrain.find_height(x, y)
        low, high = torch.where(below, low, middle), torch.where(below, middle, high)
    return torch.where(is_below.any(0), (low + high) / 2, torch.inf)


def _list_terrain_steps() -> Tensor:
    steps = [_TERRAIN_START]
    while steps[-1] < FARTHEST:
        steps.append(min(_TERRAIN_GROWTH * steps[-1], steps[-1] + _TERRAIN_LONGEST_STEP))
    return torch.tensor(steps)


def _shade(world: World, origin: Tensor, direction: Tensor, hits: Hits, pixel: float) -> Tensor:
    """Return (R, 3) linear RGB of the light that comes back along rays (3, R) that hit."""
    points = (origin + hits.distance * direction).T  # (R, 3)
    normals, uv, material = _describe_surface(world, points, hits.index)
    length = _measure(direction.T)
    towards = -(direction / length).T  # (R, 3), to the camera
    facing = (normals * towards).sum(-1)
    normals = torch.where(facing[:, None] < 0, -normals, normals)
    footprint = hits.distance * length * pixel / facing.abs().clamp_min(_STEEPEST)
    albedo = paint(world.materials, material, uv, footprint)
    upward = (0.5 + 0.5 * normals[:, 2:]).clamp(0, 1)
    light = torch.lerp(world.ambient[0], world.ambient[1], upward)  # (R, 3)
    shine = world.materials.shine[material]
    gloss = torch.zeros_like(light)
    for number in range(len(world.lights.reach)):
        arriving, path = _light_up(world, number, points, normals)
        light = light + arriving
        mirror = _normalise(path + towards)
        peak = (normals * mirror).sum(-1).clamp_min(0) ** _SHINE_POWER * shine
        gloss = gloss + peak[:, None] * arriving
    return albedo * (light + world.materials.glow[material][:, None]) + gloss


def _describe_surface(world: World, points: Tensor, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return unit normals (R, 3), texture places (R, 2) and material (R,) of hits."""
    every = world.every
    count = len(world.kinds)
    solid = index.clamp_max(count - 1)
    to_local = every.to_local[solid]  # (R, 3, 3)
    local = (to_local @ (points - every.centre[solid])[:, :, None])[:, :, 0]
    kinds = world.kinds[solid]
    local_normals = find_local_normals(kinds, local)
    normals = (local_normals[:, None] @ to_local)[:, 0]  # normals go by the inverse transpose
    uv = _find_uv(kinds, local * every.half_size[solid], local_normals, every.half_size[solid])
    material = every.material[solid]
    if world.terrain is not None:
        is_ground = index == count
        x, y = points[:, 0], points[:, 1]
        upward = world.terrain.find_normal(x, y)
        normals = torch.where(is_ground[:, None], upward, normals)
        uv = torch.where(is_ground[:, None], points[:, :2], uv)
        material = torch.where(is_ground, world.terrain.material, material)
    return _normalise(normals), uv, material


def _find_uv(kinds: Tensor, place: Tensor, normals: Tensor, half: Tensor) -> Tensor:
    """Return (R, 2) in world units: unrolled round shapes, the flat side of others."""
    x, y, z = place.unbind(-1)
    sides = torch.stack((torch.stack((y, z), -1), torch.stack((x, z), -1), place[:, :2]), 1)
    axis = (normals / half).abs().argmax(-1)[:, None, None].expand(-1, 1, 2)
    flat = sides.gather(1, axis)[:, 0]
    is_side = (kinds == int(Kind.ELLIPSOID)) | (
        (kinds == int(Kind.CYLINDER)) & (normals[:, 2].abs() < 0.5)  # noqa: PLR2004
    )
    unrolled = torch.stack((torch.atan2(y / half[:, 1], x / half[:, 0]) * half[:, 0], z), -1)
    return torch.where(is_side[:, None], unrolled, flat)


def _light_up(world: World, number: int, points: Tensor, normals: Tensor) -> tuple[Tensor, Tensor]:
    """Return the light (R, 3) of one lamp on surfaces and the unit direction (R, 3) to it."""
    lights = world.lights
    place = lights.place[number]
    if bool(lights.is_sun[number]):
        path = (place * _SUN_DISTANCE).expand_as(points)
        strength = torch.ones(len(points))
    else:
        path = place - points
        strength = 1 / (1 + (_measure(path) / lights.reach[number]) ** 2)
    towards = _normalise(path)
    cosine = (normals * towards).sum(-1).clamp_min(0)
    lit = (cosine > 0).nonzero()[:, 0]
    if len(lit):
        start = points[lit] + _SHADOW_BIAS * normals[lit]
        strength[lit] *= (~_is_shaded(world, start.T, path[lit].T)).float()
    return (strength * cosine)[:, None] * lights.colour[number], towards


def _measure(vectors: Tensor) -> Tensor:
    """Return the lengths of (R, 3); much faster than a norm over so short an axis."""
    x, y, z = vectors.unbind(-1)
    return (x * x + y * y + z * z).sqrt()


def _normalise(vectors: Tensor) -> Tensor:
    return vectors / _measure(vectors).clamp_min(_SHORTEST)[:, None]


def _is_shaded(world: World, start: Tensor, path: Tensor) -> Tensor:
    """Tell which paths (3, R) from `start` to the end of `path` are blocked by a solid."""
    blocked = torch.zeros(path.shape[1], dtype=torch.bool)
    for stack in world.solids:
        chosen = stack.casts_shadow
        if not chosen.any():
            continue
        casters = Solids(stack.kind, *(column[chosen] for column in stack[1:]))
        blocked |= (intersect(casters, start, path) < 1).any(0)
    return blocked


def _paint_sky(world: World, direction: Tensor) -> Tensor:
    """Return (R, 3) linear RGB of the sky along rays (3, R)."""
    sky = world.sky
    unit = functional.normalize(direction, dim=0)
    height = unit[2].clamp(0, 1)[:, None]
    colour = torch.lerp(sky.horizon, sky.zenith, height**0.6)
    far = 1 / (unit[2].clamp_min(0) + 0.12)
    phase = world.lights.place[0] * 7
    u, v = unit[0] * far * _CLOUD_SCALE + phase[0], unit[1] * far * _CLOUD_SCALE + phase[1]
    waves = torch.sin(u) * torch.sin(v) + 0.5 * torch.sin(2.3 * u + v) * torch.sin(1.9 * v - u)
    cover = (waves * 0.6 + 2 * sky.cover - 1).clamp(0, 1)[:, None]
    return torch.lerp(colour, sky.cloud, cover)
