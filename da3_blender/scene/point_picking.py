# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The point of a reconstruction that the mouse is on.

Runs in Blender; numpy in the middle, so that it can be tested without a window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..contract import names
from .point_drawing import Limits, choose_shown
from .root_moves import read_positions, read_world_matrix

if TYPE_CHECKING:
    from bpy.types import Object, Region
    from mathutils import Matrix
    from numpy.typing import NDArray

RADIUS_PX: Final = 12.0
_DEEPER: Final = 1.03  # what is so little farther than the nearest hit is on the same surface
_ROLES: Final = (names.ROLE_POINTS, names.ROLE_MESH, names.ROLE_SPLATS)


class Window(NamedTuple):
    """A view of the world.

    Attributes:
        clip_from_world: (4, 4) float64.
        size: pixels.
    """

    clip_from_world: NDArray[np.float64]
    size: tuple[int, int]


def read_window(region: Region) -> Window:
    """Return the view that a region of a 3D view shows."""
    return Window(
        np.array(region.data.perspective_matrix, np.float64), (region.width, region.height)
    )


def find_point(
    root: Object, window: Window, mouse: tuple[float, float]
) -> NDArray[np.float64] | None:
    """Return the (3,) place, in the world, of the visible point under the mouse, or None.

    Args:
        root: of the reconstruction.
        window: of the viewport.
        mouse: pixels from the lower left corner.
    """
    best: tuple[float, NDArray[np.float64]] | None = None
    for ob in root.children_recursive:
        if ob.get(names.PROP_ROLE) not in _ROLES or not ob.visible_get():
            continue
        positions = read_positions(ob)
        if ob.get(names.PROP_ROLE) == names.ROLE_POINTS:
            positions = positions[choose_shown(ob.data, Limits())]  # nothing that moves
        place = read_world_matrix(ob, root)
        hit = find_nearest(positions, place, window, mouse)
        if hit is not None and (best is None or hit[0] < best[0]):
            best = hit
    return None if best is None else best[1]


def find_nearest(
    positions: NDArray[np.float32],
    place: Matrix,
    window: Window,
    mouse: tuple[float, float],
    radius_px: float = RADIUS_PX,
) -> tuple[float, NDArray[np.float64]] | None:
    """Find the point of an object nearest to the mouse, of those that nothing nearer covers.

    Args:
        positions: (M, 3) object space.
        place: (4, 4) world from object.
        window: of the viewport.
        mouse: pixels from the lower left corner.
        radius_px: how far from the mouse it may be.

    Returns:
        Its depth in the view, and its (3,) place in the world; None where there is none.
    """
    if not len(positions):
        return None
    world_from_object = np.array(place, np.float64)
    matrix = window.clip_from_world @ world_from_object
    clip = positions @ matrix[:, :3].T.astype(np.float32) + matrix[:, 3].astype(np.float32)
    in_front = np.flatnonzero(clip[:, 3] > 0)
    clip = clip[in_front]  # (F, 4)
    share = (clip[:, :2] / clip[:, 3:] + 1) / 2
    distance = np.linalg.norm((share * np.float32(window.size)) - np.float32(mouse), axis=1)
    near = np.flatnonzero(distance <= radius_px)
    if not len(near):
        return None
    depth = _measure_depth(clip[near])
    # nothing is behind what is seen; of one surface, the point that the mouse is on
    limit = depth.min() * _DEEPER if depth.min() > 0 else depth.min()
    seen = near[depth <= limit]
    chosen = seen[distance[seen].argmin()]
    point = positions[in_front[chosen]].astype(np.float64)
    place_in_world = world_from_object[:3, :3] @ point + world_from_object[:3, 3]
    return float(_measure_depth(clip[[chosen]])[0]), place_in_world


def _measure_depth(clip: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a number that grows with the distance, in perspective and orthographic views."""
    is_orthographic = np.ptp(clip[:, 3]) == 0 and clip[0, 3] == 1
    return clip[:, 2] + 1 if is_orthographic else clip[:, 3]
