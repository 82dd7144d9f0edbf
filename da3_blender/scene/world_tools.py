# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set floor, origin, axis and scale of a reconstruction by places in it.

Runs in Blender. Each returns a sentence about what was done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from mathutils import Matrix, Vector

from ..contract.errors import EngineError, ErrorCode
from ..contract.ground_plane import fit_plane
from .root_moves import move_root, read_world_cameras
from .upright import accept_upright, turn_to_up
from .world_points import require_places

if TYPE_CHECKING:
    from bpy.types import Context, Object
    from numpy.typing import NDArray

    from .world_points import Places

_PLANE: Final = 3
_PAIR: Final = 2
_STEEP: Final = 1e-3  # share of a line that must lie in the floor
_UPRIGHT: Final = 0.7  # share of a height that must be upright before nothing is said
_AXES: Final = {"X": 0.0, "Y": np.pi / 2}


def set_floor(context: Context, root: Object, places: Places) -> str:
    """Turn and lift a reconstruction so that places are on z = 0; cameras stay above.

    Fewer than three places only lift it.

    Raises:
        EngineError: INPUT_TOO_FEW, INPUT_MISMATCH.
    """
    require_places(places, 1, "Set Floor")
    positions = places.positions
    tilt, middle = 0.0, positions.mean(axis=0)
    move = Matrix.Translation((0, 0, -middle[2]))
    error = 0.0
    if len(positions) >= _PLANE:
        try:
            plane = fit_plane(positions, _find_up_side(context, root, positions))
        except ValueError as problem:
            raise EngineError(
                ErrorCode.INPUT_MISMATCH,
                f"The {places.what} make no plane: {problem}.",
                "Choose points that are spread over the floor.",
            ) from problem
        move = move @ turn_to_up(plane.normal, middle)
        tilt = float(np.degrees(np.arccos(np.clip(plane.normal[2], -1, 1))))
        error = float(np.sqrt(np.mean(plane.measure_heights(positions) ** 2)))
    move_root(context, root, move)
    accept_upright(root)
    if len(positions) < _PLANE:
        return f"Floor at {places.what}, moved by {-middle[2]:.3g}; three points would turn it too"
    return f"Floor through {places.what}: turned by {tilt:.1f}°, they are within {error:.2g} of it"


def set_origin(context: Context, root: Object, places: Places, *, keep_height: bool) -> str:
    """Move a reconstruction so that the mean of places is at the world's origin.

    Raises:
        EngineError: INPUT_TOO_FEW.
    """
    require_places(places, 1, "Set Origin")
    x, y, z = places.positions.mean(axis=0).tolist()
    move_root(context, root, Matrix.Translation((-x, -y, 0.0 if keep_height else -z)))
    accept_upright(root)
    return f"Origin at {places.what}"


def set_axis(context: Context, root: Object, places: Places, axis: str) -> str:
    """Turn a reconstruction about the world's z so that two places lie along an axis.

    The last place lies on the positive side; where the places have no order, the turn is the
    lesser one.

    Args:
        context: of the scene.
        root: of the reconstruction.
        places: the last two count.
        axis: X or Y.

    Raises:
        EngineError: INPUT_TOO_FEW, INPUT_MISMATCH.
    """
    require_places(places, _PAIR, "Set Axis")
    start, end = places.positions[-_PAIR:]
    line = end - start
    if not np.hypot(line[0], line[1]) > _STEEP * np.linalg.norm(line):
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            "The two points are above each other, so they have no direction on the floor.",
            "Choose two points along a wall or another level edge.",
        )
    turn = _AXES[axis] - np.arctan2(line[1], line[0])
    half = np.pi if places.has_order else np.pi / 2
    turn = float((turn + half) % (2 * half) - half)
    move_root(context, root, Matrix.Rotation(turn, 4, "Z"))
    accept_upright(root)
    return f"{axis} along {places.what}: turned by {np.degrees(turn):.1f}°"


def scale_by_distance(context: Context, root: Object, places: Places, length: float) -> str:
    """Scale a reconstruction about the world's origin so that two places are so far apart.

    Raises:
        EngineError: INPUT_TOO_FEW, INPUT_MISMATCH.
    """
    require_places(places, _PAIR, "Scale by Distance")
    start, end = places.positions[-_PAIR:]
    factor = _scale(context, root, float(np.linalg.norm(end - start)), length)
    return f"Scaled by {factor:.4g}: the points are {length:.3g} m apart now"


def scale_by_height(context: Context, root: Object, places: Places, height: float) -> str:
    """Scale a reconstruction so that one place is so much higher than the other.

    Raises:
        EngineError: INPUT_TOO_FEW, INPUT_MISMATCH.
    """
    require_places(places, _PAIR, "Scale by Height")
    start, end = places.positions[-_PAIR:]
    rise = float(abs(end[2] - start[2]))
    factor = _scale(context, root, rise, height)
    text = f"Scaled by {factor:.4g}: {height:.3g} m from bottom to top now"
    if rise < _UPRIGHT * np.linalg.norm(end - start):
        text += ". The points are not above each other: is the world upright?"
    return text


def _scale(context: Context, root: Object, found: float, wanted: float) -> float:
    if not found > 0:
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            "The two points are at the same place or height.",
            "Choose two other points.",
        )
    factor = wanted / found
    move_root(context, root, Matrix.Scale(factor, 4))
    accept_upright(root)
    return factor


def _find_up_side(
    context: Context, root: Object, positions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a direction from places to where most cameras are; up as it is without cameras."""
    cameras = read_world_cameras(context, root)
    if not len(cameras):
        return np.array(Vector((0, 0, 1)))
    plane = fit_plane(positions, np.array([0, 0, 1.0]))
    above = np.median(plane.measure_heights(cameras[:, :3, 3]))
    return plane.normal if above >= 0 else -plane.normal
