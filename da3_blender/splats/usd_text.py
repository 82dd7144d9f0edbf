# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""USD files with a ParticleField3DGaussianSplat, as text, which needs no library.

Runs in both processes. Source of the layout: the schema UsdVol of OpenUSD 26.03. It means what 3D
Gaussian Splatting means (a coefficient of 0 is a display value of 0.5); scales are linear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np

from ..contract.whole_file import open_whole
from .axes import UpAxis, turn_from_opencv
from .cloud import GaussianCloud, normalise_rotations

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_BLOCK: Final = 1 << 15
_HEAD: Final = """#usda 1.0
(
    defaultPrim = "Splats"
    metersPerUnit = 1
    upAxis = "Y"
)

def ParticleField3DGaussianSplat "Splats"
{
"""


def write_usd(path: Path, cloud: GaussianCloud) -> None:
    """Write a .usda file, y up; numbers come back exactly, rotations with unit length.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    turned = turn_from_opencv(cloud, UpAxis.PLUS_Y)
    reach = 3 * turned.scales.max(axis=1, keepdims=True)
    extent = np.stack([(turned.positions - reach).min(0), (turned.positions + reach).max(0)])
    coefficients = np.ascontiguousarray(turned.harmonics.transpose(0, 2, 1)).reshape(-1, 3)
    with open_whole(path) as file:
        file.write(_HEAD.encode("ascii"))
        for name, values in (
            ("float3[] extent", extent),
            ("point3f[] positions", turned.positions),
            ("quatf[] orientations", normalise_rotations(turned.rotations)),
            ("float3[] scales", turned.scales),
            ("float[] opacities", turned.opacities[:, None]),
            ("float3[] radiance:sphericalHarmonicsCoefficients", coefficients),
        ):
            _write_array(file, name, values)
        file.write(
            f"    uniform int radiance:sphericalHarmonicsDegree = {cloud.degree}\n}}\n".encode(
                "ascii"
            )
        )


def _write_array(file: BinaryIO, name: str, values: NDArray[np.floating]) -> None:
    """Write (N, C) float32; 9 digits give every float32 back."""
    width = values.shape[1]
    one = ",".join(["%.9g"] * width)
    one = f"({one})" if width > 1 else one
    file.write(f"    {name} = [".encode("ascii"))
    for first in range(0, len(values), _BLOCK):
        block = values[first : first + _BLOCK]
        text = ", ".join([one] * len(block)) % tuple(block.ravel().tolist())
        file.write(((", " if first else "") + text).encode("ascii"))
    file.write(b"]\n")
