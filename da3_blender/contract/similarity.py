# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Similarities between worlds: x' = s R x + t.

Runs in both processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from .cameras import invert_rigid

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_SINGULAR_VALUE: Final = 2.2e-16
_PLANE_DIMENSIONS: Final = 2


class Sim3(NamedTuple):
    """x' = scale * rotation @ x + translation; variables name the direction, `new_from_old`.

    Args:
        scale: positive factor.
        rotation: (3, 3) float64.
        translation: (3,) float64, units of the new world.
    """

    scale: float
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]

    def apply_to_points(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Move (..., 3) positions from the old world to the new one; keeps the dtype."""
        points = np.asarray(points)
        moved = points.astype(np.float64) @ (self.scale * self.rotation).T + self.translation
        return moved.astype(points.dtype)

    def apply_to_w2c(self, w2c: NDArray[np.floating]) -> NDArray[np.float64]:
        """Give (..., 4, 4) extrinsics of the new world, still rigid; depth grows by `scale`."""
        c2w = invert_rigid(w2c)
        moved = c2w.copy()
        moved[..., :3, :3] = self.rotation @ c2w[..., :3, :3]
        moved[..., :3, 3] = c2w[..., :3, 3] @ (self.scale * self.rotation).T + self.translation
        return invert_rigid(moved)

    def to_json(self) -> dict[str, object]:
        """Return plain numbers for a manifest."""
        return {
            "scale": float(self.scale),
            "rotation": np.asarray(self.rotation).tolist(),
            "translation": np.asarray(self.translation).tolist(),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Sim3:
        """Read what `to_json` has written.

        Raises:
            KeyError: a part is missing.
            ValueError: a part has the wrong shape.
        """
        return cls(
            float(values["scale"]),
            np.asarray(values["rotation"], np.float64).reshape(3, 3),
            np.asarray(values["translation"], np.float64).reshape(3),
        )


def identity_sim3() -> Sim3:
    """Return the similarity that changes nothing."""
    return Sim3(1.0, np.eye(3), np.zeros(3))


def chain_sim3(c_from_b: Sim3, b_from_a: Sim3) -> Sim3:
    """Return `c_from_a`, first the second and then the first similarity."""
    return Sim3(
        c_from_b.scale * b_from_a.scale,
        c_from_b.rotation @ b_from_a.rotation,
        c_from_b.scale * c_from_b.rotation @ b_from_a.translation + c_from_b.translation,
    )


def invert_sim3(b_from_a: Sim3) -> Sim3:
    """Return `a_from_b`."""
    rotation = b_from_a.rotation.T
    scale = 1.0 / b_from_a.scale
    return Sim3(scale, rotation, -scale * rotation @ b_from_a.translation)


def fit_sim3(source: NDArray[np.floating], target: NDArray[np.floating]) -> Sim3:
    """Fit target ~ s R source + t in the least-squares sense.

    Args:
        source: (M, 3) positions, M >= 3 and not all on one line.
        target: (M, 3) the same points in the other world.

    Returns:
        `target_from_source`.

    Raises:
        ValueError: fewer than three points, or all on one line.

    Source: Umeyama 1991, Least-squares estimation of transformation parameters.
    """
    source = np.asarray(source, np.float64)
    target = np.asarray(target, np.float64)
    if source.shape != target.shape or len(source) < 3:  # noqa: PLR2004
        message = f"need at least 3 pairs of points, got {len(source)} and {len(target)}"
        raise ValueError(message)
    source_mean, target_mean = source.mean(0), target.mean(0)
    centred = source - source_mean
    variance = (centred**2).sum() / len(source)
    if not variance > 0:
        message = "all points are at one place"
        raise ValueError(message)
    u, d, vt = np.linalg.svd((target - target_mean).T @ centred / len(source))
    if np.count_nonzero(d > _LEAST_SINGULAR_VALUE) < _PLANE_DIMENSIONS:
        message = "all points are on one line"
        raise ValueError(message)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = (u * sign) @ vt
    scale = float((d * sign).sum() / variance)
    return Sim3(scale, rotation, target_mean - scale * rotation @ source_mean)
