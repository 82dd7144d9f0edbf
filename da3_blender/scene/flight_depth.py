# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far away that is what a camera of a flight looks at: measured on the scene's points.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract import names
from ..contract.cameras import from_blender_points, invert_rigid
from .flight_views import find_place
from .lookup import list_parts

if TYPE_CHECKING:
    from bpy.types import Object
    from numpy.typing import NDArray

    from ..flights.camera_paths import CameraPath

_MOST_POINTS: Final = 200_000  # of each object; a median needs no more
_FEW: Final = 10  # so few points in the picture say nothing about it
_ROLES: Final = (names.ROLE_POINTS, names.ROLE_MESH, names.ROLE_SPLATS)


def gather_points(root: Object) -> NDArray[np.float64]:
    """Return (P, 3) an even share of all points, vertices and Gaussians; OpenCV, below the root."""
    parts = [_read_points(ob, root) for role in _ROLES for ob in list_parts(root, role)]
    return np.concatenate(parts) if parts else np.zeros((0, 3))


def measure_distances(points: NDArray[np.float64], camera: CameraPath) -> NDArray[np.float64]:
    """Measure the depth of what the first camera of a path has in its picture.

    Args:
        points: (P, 3), OpenCV, below the root.
        camera: shares of the picture.

    Returns:
        (Q,) depth along the viewing axis; of all points before the camera where hardly any is
        in the picture, and empty where there is none.
    """
    w2c = invert_rigid(camera.c2w[0])
    seen = points @ w2c[:3, :3].T + w2c[:3, 3]
    seen = seen[seen[:, 2] > 0]
    pixels = (seen @ camera.K[0].T)[:, :2] / seen[:, 2:]
    inside = ((pixels >= 0) & (pixels <= 1)).all(axis=1)
    return seen[inside, 2] if inside.sum() >= _FEW else seen[:, 2]


def _read_points(ob: Object, root: Object) -> NDArray[np.float64]:
    attribute = getattr(ob.data, "attributes", {}).get("position")
    if attribute is None or not len(attribute.data):
        return np.zeros((0, 3))
    points = np.empty(3 * len(attribute.data), np.float32)
    attribute.data.foreach_get("vector", points)
    points = points.reshape(-1, 3)
    points = points[:: -(-len(points) // _MOST_POINTS)].astype(np.float64)
    place = np.array(find_place(ob, root) @ ob.matrix_basis, np.float64)
    return from_blender_points(points @ place[:3, :3].T + place[:3, 3])
