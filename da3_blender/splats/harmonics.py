# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real spherical harmonics of degree 0 to 3: their basis, their value, their rotation.

Runs in both processes. Source of order and signs: 3D Gaussian Splatting (Kerbl et al. 2023).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

C0: Final = 0.28209479177387814
"""sqrt(1 / (4 pi)), the basis of degree 0."""
C1: Final = 0.4886025119029199
"""sqrt(3 / (4 pi)): degree 1 is C1 * (-y, z, -x)."""
C2: Final = (1.0925484305920792, 1.0925484305920792, 0.31539156525252005, 1.0925484305920792,
             0.5462742152960396)  # fmt: skip
"""Factors of xy, -yz, 2zz - xx - yy, -xz, xx - yy; signs are in the basis."""
C3: Final = (0.5900435899266435, 2.890611442640554, 0.4570457994644658, 0.3731763325901154,
             0.4570457994644658, 1.445305721320277, 0.5900435899266435)  # fmt: skip
"""Factors of degree 3, see `evaluate_basis`."""


def evaluate_basis(directions: NDArray[np.floating], degree: int = 3) -> NDArray[np.floating]:
    """Evaluate the basis functions.

    Args:
        directions: (..., 3) unit vectors from the eye to the Gaussian.
        degree: 0 to 3.

    Returns:
        (..., (degree + 1)^2), dtype of `directions`.
    """
    directions = np.asarray(directions)
    x, y, z = (directions[..., axis] for axis in range(3))
    xx, yy, zz = x * x, y * y, z * z
    parts = [np.full_like(x, C0)]
    if degree >= 1:
        parts += [-C1 * y, C1 * z, -C1 * x]
    if degree >= 2:  # noqa: PLR2004 - degree 2
        parts += [
            C2[0] * x * y,
            -C2[1] * y * z,
            C2[2] * (2 * zz - xx - yy),
            -C2[3] * x * z,
            C2[4] * (xx - yy),
        ]
    if degree >= 3:  # noqa: PLR2004 - degree 3
        parts += [
            -C3[0] * y * (3 * xx - yy),
            C3[1] * x * y * z,
            -C3[2] * y * (4 * zz - xx - yy),
            C3[3] * z * (2 * zz - 3 * xx - 3 * yy),
            -C3[4] * x * (4 * zz - xx - yy),
            C3[5] * z * (xx - yy),
            -C3[6] * x * (xx - 3 * yy),
        ]
    return np.stack(parts, axis=-1)


def evaluate_colours(
    harmonics: NDArray[np.floating], directions: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Evaluate what each Gaussian looks like from one side.

    Args:
        harmonics: (G, 3, D).
        directions: (G, 3) unit vectors from the eye to the Gaussian.

    Returns:
        (G, 3) display values (sRGB), >= 0, not limited above.
    """
    degree = int(np.sqrt(harmonics.shape[2])) - 1
    basis = evaluate_basis(directions, degree)  # (G, D)
    return np.maximum(0.5 + np.einsum("gcd,gd->gc", harmonics, basis), 0)


def build_harmonics_rotation(rotation: NDArray[np.floating], degree: int) -> NDArray[np.float64]:
    """Build the matrix that turns coefficients.

    The basis of a degree spans a space that rotations map to itself, so the matrix follows from
    the basis at enough directions and at the same directions turned back; mirrors work as well.

    Args:
        rotation: (3, 3) orthogonal, new_from_old.
        degree: 0 to 3.

    Returns:
        (D, D) float64; new coefficients = matrix @ old ones, so that f_new(d) = f_old(R^T d).
    """
    rotation = np.asarray(rotation, np.float64)
    # a fixed set of directions, evenly spread (golden angle), more than coefficients
    index = np.arange(64) + 0.5
    z = 1 - 2 * index / len(index)
    angle = index * np.pi * (3 - np.sqrt(5))
    r = np.sqrt(1 - z * z)
    directions = np.stack([r * np.cos(angle), r * np.sin(angle), z], axis=-1)
    result = np.zeros(((degree + 1) ** 2,) * 2)
    here = evaluate_basis(directions, degree)
    before = evaluate_basis(directions @ rotation, degree)  # rows R^T d
    for band in range(degree + 1):
        part = slice(band * band, (band + 1) ** 2)
        result[part, part] = np.linalg.lstsq(here[:, part], before[:, part], rcond=None)[0]
    return result


def colour_to_coefficient(colour: NDArray[np.floating]) -> NDArray[np.floating]:
    """Turn display values into the coefficient of degree 0."""
    return (colour - 0.5) / C0


def coefficient_to_colour(coefficient: NDArray[np.floating]) -> NDArray[np.floating]:
    """Turn coefficients of degree 0 into display values, not limited."""
    return 0.5 + C0 * coefficient
