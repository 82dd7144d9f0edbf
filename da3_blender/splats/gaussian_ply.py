# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PLY files of 3D Gaussian Splatting, which every splat program reads and writes.

Runs in both processes. Source of the layout: the files of 3D Gaussian Splatting (Kerbl et al.
2023): logarithms of scales, logits of opacities, coefficients colour by colour.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np

from ..contract.whole_file import open_whole
from .cloud import COEFFICIENTS, GaussianCloud
from .failures import make_unreadable
from .ply_header import PlyElement, read_table

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_LEAST_OPACITY: Final = 1e-6
"""The file holds log(p / (1 - p)), which has no number for 0 and 1."""
_LEAST_SCALE: Final = 1e-30
"""The file holds log(scale), which has no number for 0."""
_DEGREE_3_REST: Final = 45
_BLOCK: Final = 1 << 16
_PLACES: Final = ("x", "y", "z")
_COLOURS: Final = ("f_dc_0", "f_dc_1", "f_dc_2")
_SCALES: Final = ("scale_0", "scale_1", "scale_2")
_ROTATIONS: Final = ("rot_0", "rot_1", "rot_2", "rot_3")
NEEDED: Final = (*_PLACES, *_COLOURS, "opacity", *_SCALES, *_ROTATIONS)


class PlyLayout(enum.Enum):
    """Which columns the file has."""

    FULL = "full"  # normals, all coefficients of the colours: the original layout
    FLAT_COLOUR = "flat_colour"  # normals, one colour for all directions
    DEGREE_3 = "degree_3"  # no normals, flat colour padded with zeros to degree 3


def list_columns(layout: PlyLayout, coefficients: int) -> list[str]:
    """Name the columns of a file.

    Args:
        layout: of the file.
        coefficients: how many each colour has.

    Returns:
        Property names in order.
    """
    rest = {
        PlyLayout.FULL: 3 * (coefficients - 1),
        PlyLayout.FLAT_COLOUR: 0,
        PlyLayout.DEGREE_3: _DEGREE_3_REST,
    }[layout]
    normals = [] if layout is PlyLayout.DEGREE_3 else ["nx", "ny", "nz"]
    return [
        *_PLACES,
        *normals,
        *_COLOURS,
        *(f"f_rest_{index}" for index in range(rest)),
        "opacity",
        *_SCALES,
        *_ROTATIONS,
    ]


def write_gaussian_ply(
    path: Path, cloud: GaussianCloud, layout: PlyLayout = PlyLayout.FULL
) -> None:
    """Write a binary PLY file; it appears under its name when it is complete.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    with open_whole(path) as file:
        write_ply_head(file, layout, cloud.harmonics.shape[2], cloud.count)
        for first in range(0, cloud.count, _BLOCK):
            chosen = np.arange(first, min(first + _BLOCK, cloud.count))
            file.write(build_ply_rows(cloud, chosen, layout).data)


def write_ply_head(file: BinaryIO, layout: PlyLayout, coefficients: int, count: int) -> None:
    """Write what stands before the rows."""
    columns = list_columns(layout, coefficients)
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {count}"]
    header += [*(f"property float {name}" for name in columns), "end_header", ""]
    file.write("\n".join(header).encode("ascii"))


def build_ply_rows(
    cloud: GaussianCloud,
    chosen: NDArray[np.integer],
    layout: PlyLayout,
    centre: NDArray[np.floating] | None = None,
    unit: float = 1.0,
) -> NDArray[np.float32]:
    """Build rows of a file.

    Args:
        cloud: scales > 0 where chosen.
        chosen: which Gaussians, in the order of the rows.
        layout: of the file.
        centre: (3,) position that becomes the origin; None keeps it.
        unit: length that becomes 1.

    Returns:
        (len(chosen), columns) float32, little-endian.
    """
    has_normals = layout is not PlyLayout.DEGREE_3
    harmonics, coefficients = cloud.harmonics, cloud.harmonics.shape[2]
    rows = np.zeros((len(chosen), len(list_columns(layout, coefficients))), "<f4")
    places = cloud.positions.take(chosen, axis=0)
    if centre is not None:
        places = places - centre.astype(np.float32)
    _put(rows, 0, places if unit == 1 else places / np.float32(unit))
    first = 6 if has_normals else 3  # normals stay 0
    for colour in range(3):
        rows[:, first + colour] = harmonics[:, colour, 0].take(chosen)
    first += 3
    if layout is PlyLayout.FULL:  # all of one colour, then the next
        width = 3 * (coefficients - 1)
        rest = harmonics.take(chosen, axis=0)[:, :, 1:]
        rows[:, first : first + width] = rest.reshape(len(chosen), width)
        first += width
    elif layout is PlyLayout.DEGREE_3:  # they stay 0
        first += _DEGREE_3_REST
    rows[:, first] = share_to_logit(cloud.opacities.take(chosen))
    scales = np.maximum(cloud.scales.take(chosen, axis=0), np.float32(_LEAST_SCALE))
    _put(rows, first + 1, np.log(scales if unit == 1 else scales / np.float32(unit)))
    _put(rows, first + 4, cloud.rotations.take(chosen, axis=0))
    return rows


def _put(rows: NDArray[np.float32], first: int, part: NDArray[np.floating]) -> None:
    """Copy a few columns one by one: numpy is slow at runs of three numbers."""
    for index, column in enumerate(part.T, start=first):
        rows[:, index] = column


def share_to_logit(opacities: NDArray[np.floating]) -> NDArray[np.float32]:
    """Turn opacities into log(p / (1 - p)); 0 and 1 become the nearest that has one."""
    p = np.clip(opacities, np.float32(_LEAST_OPACITY), np.float32(1 - _LEAST_OPACITY))
    return np.log(p / (1 - p))


def logit_to_share(logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """Turn logits into opacities."""
    with np.errstate(over="ignore"):  # exp of a large number is infinite, the share 0
        return (1 / (1 + np.exp(-np.asarray(logits, np.float32)))).astype(np.float32)


def read_gaussian_ply(path: Path, elements: dict[str, PlyElement]) -> GaussianCloud:
    """Read the rows of a file whose head is known.

    Args:
        path: of the file.
        elements: what `read_ply_header` found.

    Returns:
        All Gaussians, also unsound ones. Degree 4 is cut to 3.

    Raises:
        EngineError: INPUT_UNREADABLE or INPUT_EMPTY.
    """
    vertex = elements.get("vertex")
    missing = [name for name in NEEDED if vertex is None or name not in vertex.names]
    if vertex is None or missing:
        raise _describe_other_ply(path, vertex, missing)
    if vertex.has_lists:
        raise make_unreadable(path, "has lists among its Gaussians.", "Export it anew.")
    table = read_table(path, vertex)
    column = {name: index for index, name in enumerate(vertex.names)}

    def get(names: tuple[str, ...]) -> NDArray[np.float32]:
        return np.stack([table[:, column[name]] for name in names], axis=1)

    with np.errstate(over="ignore"):
        scales = np.exp(get(_SCALES))
    return GaussianCloud(
        get(_PLACES),
        scales,
        get(_ROTATIONS),
        logit_to_share(table[:, column["opacity"]]),
        _read_harmonics(path, table, column),
    )


def _read_harmonics(
    path: Path, table: NDArray[np.float32], column: dict[str, int]
) -> NDArray[np.float32]:
    rest = sum(name.startswith("f_rest_") for name in column)
    stored = 1 + rest // 3
    known = next((c for c in reversed(COEFFICIENTS) if c <= stored), 1)
    names = [f"f_rest_{index}" for index in range(rest)]
    if rest % 3 or stored not in (*COEFFICIENTS, 25) or any(n not in column for n in names):
        raise make_unreadable(
            path,
            f"has {rest} columns f_rest; 0, 9, 24 or 45 make a degree of spherical harmonics.",
            "Export it anew.",
        )
    harmonics = np.empty((len(table), 3, known), np.float32)
    for colour in range(3):
        harmonics[:, colour, 0] = table[:, column[_COLOURS[colour]]]
        for index in range(1, known):
            name = f"f_rest_{colour * (stored - 1) + index - 1}"
            harmonics[:, colour, index] = table[:, column[name]]
    return harmonics


def _describe_other_ply(path: Path, vertex: PlyElement | None, missing: list[str]) -> Exception:
    if vertex is not None and set(_PLACES) <= set(vertex.names):
        return make_unreadable(
            path,
            f"holds {vertex.count:,} points or vertices but no Gaussians: it has no columns "
            f"{', '.join(missing[:4])}{', ...' if len(missing) > 4 else ''}.",  # noqa: PLR2004
            "Import it with File > Import > Stanford PLY.",
        )
    return make_unreadable(
        path, "holds neither Gaussians nor points.", "Choose a file of Gaussians."
    )
