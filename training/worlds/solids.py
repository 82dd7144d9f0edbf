# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Solids of the synthetic worlds and where rays meet them.

Runs in the environment `training`. Each solid is a unit shape under an affine map, so a distance
along a ray is the same number in the world and in the solid's own frame.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import torch
from torch import Tensor

LEAST_DISTANCE = 1e-3
"""Nearer hits belong to the surface that a ray starts from."""
_TINY = 1e-9
_ARCH_HALF_WIDTH = 0.62
_ARCH_SPRING = 0.15
_ARCH_RISE = 0.6
_OPENING_FLOOR = -3.0


class Kind(IntEnum):
    """Unit shapes; each lies in [-1, 1] on all axes.

    QUAD is the square z = 0; GABLE is a prism along y with a triangle in x and z; ARCH is a box
    with a round-topped opening along y.
    """

    BOX = 0
    ELLIPSOID = 1
    CYLINDER = 2
    QUAD = 3
    GABLE = 4
    ARCH = 5


class Solids(NamedTuple):
    """A stack of solids of one kind.

    Attributes:
        kind: which unit shape.
        to_local: (P, 3, 3) float32, world directions to the unit shape's frame.
        centre: (P, 3) float32, world.
        half_size: (P, 3) float32, half lengths of the axes in world units.
        material: (P,) int64, index into the materials of the world.
        casts_shadow: (P,) bool.
    """

    kind: Kind
    to_local: Tensor
    centre: Tensor
    half_size: Tensor
    material: Tensor
    casts_shadow: Tensor


def intersect(solids: Solids, origin: Tensor, direction: Tensor) -> Tensor:
    """Find the first hit of each ray with each solid.

    Args:
        solids: P solids of one kind.
        origin: (3, R) or (3, 1) float32, world.
        direction: (3, R) float32, world, any length.

    Returns:
        (P, R) float32, hit = origin + t * direction; infinite where there is none.
    """
    o = solids.to_local @ (origin - solids.centre[:, :, None])  # (P, 3, R or 1)
    d = solids.to_local @ direction  # (P, 3, R)
    d = torch.where(d.abs() < _TINY, _TINY, d)
    return _INTERSECTIONS[solids.kind](o, d)


def _enter(near: Tensor, far: Tensor) -> Tensor:
    """Return the first border of an interval that lies ahead; from inside that is the far one."""
    t = torch.where(near > LEAST_DISTANCE, near, far)
    return torch.where((near <= far) & (t > LEAST_DISTANCE), t, torch.inf)


def _cross_slab(o: Tensor, d: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
    """Return near and far crossing of one axis with an interval."""
    inverse = 1.0 / d
    a, b = (low - o) * inverse, (high - o) * inverse
    return torch.minimum(a, b), torch.maximum(a, b)


def _cross_box(o: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    near, far = _cross_slab(o, d, -1.0, 1.0)  # (P, 3, R)
    return near.amax(1), far.amin(1)


def _cross_quadric(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Return both roots of a t^2 + 2 b t + c; an empty interval where there are none."""
    discriminant = b * b - a * c
    root = discriminant.clamp_min(0).sqrt()
    # the root without cancellation, the other from the product
    q = -(b + torch.where(b < 0, -root, root))
    q = torch.where(q.abs() < _TINY, _TINY, q)
    first, second = q / a, c / q
    empty = discriminant < 0
    near = torch.where(empty, torch.inf, torch.minimum(first, second))
    far = torch.where(empty, -torch.inf, torch.maximum(first, second))
    return near, far


def _hit_box(o: Tensor, d: Tensor) -> Tensor:
    return _enter(*_cross_box(o, d))


def _hit_ellipsoid(o: Tensor, d: Tensor) -> Tensor:
    return _enter(*_cross_quadric((d * d).sum(1), (o * d).sum(1), (o * o).sum(1) - 1))


def _hit_cylinder(o: Tensor, d: Tensor) -> Tensor:
    xy, uv = o[:, :2], d[:, :2]
    near, far = _cross_quadric((uv * uv).sum(1), (xy * uv).sum(1), (xy * xy).sum(1) - 1)
    low, high = _cross_slab(o[:, 2], d[:, 2], -1.0, 1.0)
    return _enter(torch.maximum(near, low), torch.minimum(far, high))


def _hit_quad(o: Tensor, d: Tensor) -> Tensor:
    t = -o[:, 2] / d[:, 2]
    reach = (o[:, :2] + t[:, None] * d[:, :2]).abs().amax(1)
    return torch.where((reach <= 1) & (t > LEAST_DISTANCE), t, torch.inf)


def _hit_gable(o: Tensor, d: Tensor) -> Tensor:
    near, far = _cross_slab(o[:, 1], d[:, 1], -1.0, 1.0)
    for x, z in ((0.0, -1.0), (2.0, 1.0), (-2.0, 1.0)):  # each plane: x * px + z * pz <= 1
        height = 1 - x * o[:, 0] - z * o[:, 2]
        slope = x * d[:, 0] + z * d[:, 2]
        slope = torch.where(slope.abs() < _TINY, _TINY, slope)
        t = height / slope
        near = torch.where(slope < 0, torch.maximum(near, t), near)
        far = torch.where(slope > 0, torch.minimum(far, t), far)
    return _enter(near, far)


def _hit_arch(o: Tensor, d: Tensor) -> Tensor:
    near, far = _cross_box(o, d)
    open_near, open_far = _cross_opening(o, d)
    start = torch.where(near > LEAST_DISTANCE, near, torch.full_like(near, LEAST_DISTANCE))
    is_in_opening = (open_near <= start) & (start < open_far)
    # through the opening: the wall is met where the opening ends, if that is inside the box
    inner = torch.where(open_far < far, open_far, torch.inf)
    t = torch.where(is_in_opening, inner, _enter(near, far))
    return torch.where((near <= far) & (far > LEAST_DISTANCE), t, torch.inf)


def _cross_opening(o: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """Cross the endless tunnel of the arch: a rectangle with half an ellipse on top, convex."""
    x, z = o[:, 0], o[:, 2]
    u, w = d[:, 0], d[:, 2]
    side = _cross_slab(x, u, -_ARCH_HALF_WIDTH, _ARCH_HALF_WIDTH)
    low = _cross_slab(z, w, _OPENING_FLOOR, _ARCH_SPRING)
    rectangle = torch.maximum(side[0], low[0]), torch.minimum(side[1], low[1])
    x, u = x / _ARCH_HALF_WIDTH, u / _ARCH_HALF_WIDTH
    z_top, w_top = (z - _ARCH_SPRING) / _ARCH_RISE, w / _ARCH_RISE
    ellipse = _cross_quadric(u * u + w_top**2, x * u + z_top * w_top, x * x + z_top**2 - 1)
    above = _cross_slab(z, w, _ARCH_SPRING, -_OPENING_FLOOR)
    cap = torch.maximum(ellipse[0], above[0]), torch.minimum(ellipse[1], above[1])
    near, far = torch.full_like(u, torch.inf), torch.full_like(u, -torch.inf)
    for part_near, part_far in (rectangle, cap):
        is_met = part_near <= part_far
        near = torch.where(is_met, torch.minimum(near, part_near), near)
        far = torch.where(is_met, torch.maximum(far, part_far), far)
    return near, far


_INTERSECTIONS = {
    Kind.BOX: _hit_box,
    Kind.ELLIPSOID: _hit_ellipsoid,
    Kind.CYLINDER: _hit_cylinder,
    Kind.QUAD: _hit_quad,
    Kind.GABLE: _hit_gable,
    Kind.ARCH: _hit_arch,
}


def find_local_normals(kinds: Tensor, points: Tensor) -> Tensor:
    """Find the normals of unit shapes at points on them.

    Args:
        kinds: (R,) int64, values of `Kind`.
        points: (R, 3) float32, in the frame of the unit shape.

    Returns:
        (R, 3) float32, not normalised, outwards.
    """
    x, y, z = points.unbind(-1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    box = torch.nn.functional.one_hot(points.abs().argmax(-1), 3) * points.sign()
    radius = torch.hypot(x, y)
    cap = torch.stack((zero, zero, z.sign()), -1)
    cylinder = torch.where((z.abs() > radius)[:, None], cap, torch.stack((x, y, zero), -1))
    ends = torch.stack((zero, y.sign(), zero), -1)
    roof = torch.stack((2 * x.sign(), zero, one), -1)
    floor = torch.stack((zero, zero, -one), -1)
    slack = torch.stack(((1 - y.abs()).abs(), (1 - 2 * x.abs() - z).abs(), (1 + z).abs()), -1)
    faces = torch.stack((ends, roof, floor), 1)  # (R, 3 faces, 3)
    nearest = slack.argmin(-1)[:, None, None].expand(-1, 1, 3)
    gable = faces.gather(1, nearest)[:, 0]
    vault = torch.stack(
        (
            -x / _ARCH_HALF_WIDTH**2,
            zero,
            -(z - _ARCH_SPRING).clamp_min(0) / _ARCH_RISE**2,
        ),
        -1,
    )
    is_inside = points.abs().amax(-1) < 1 - 1e-4
    arch = torch.where(is_inside[:, None], vault, box)
    quad = torch.stack((zero, zero, one), -1)
    by_kind = torch.stack((box, points, cylinder, quad, gable, arch), 1)  # (R, kinds, 3)
    return by_kind.gather(1, kinds[:, None, None].expand(-1, 1, 3))[:, 0]


def find_inside(solids: Solids, points: Tensor, margin: float) -> Tensor:
    """Tell which points lie in the enlarged box around any of the solids.

    Args:
        solids: P solids.
        points: (M, 3) float32, world.
        margin: world units by which each solid grows.

    Returns:
        (M,) bool.
    """
    local = solids.to_local @ (points.T - solids.centre[:, :, None])  # (P, 3, M)
    limit = 1 + margin / solids.half_size[:, :, None]
    return (local.abs() < limit).all(1).any(0)
