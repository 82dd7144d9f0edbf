# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compressed PLY files: 16 bytes a Gaussian, in chunks of 256 with their own ranges.

Runs in both processes. Source of the layout: PlayCanvas, SuperSplat and splat-transform.
A chunk holds the least and largest position, log(scale) and colour; a Gaussian holds where it
lies between them: positions and scales in 11, 10 and 11 bits, colours and opacity in 8 bits each,
the rotation in 2 + 3 x 10 bits; further coefficients are bytes from -4 to 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.whole_file import open_whole
from .cloud import COEFFICIENTS, GaussianCloud
from .failures import make_unreadable
from .harmonics import coefficient_to_colour, colour_to_coefficient
from .ply_header import PlyElement, read_integers, read_table
from .small_quaternions import pack_unsigned, unpack_unsigned

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_CHUNK: Final = 256
_RANGES: Final = tuple(
    f"{end}_{name}"
    for names in (("x", "y", "z"), ("scale_x", "scale_y", "scale_z"), ("r", "g", "b"))
    for end in ("min", "max")
    for name in names
)
_OLD_RANGES: Final = _RANGES[:12]
"""The first files had no ranges of colours: theirs go from 0 to 1."""
_WORDS: Final = ("packed_position", "packed_rotation", "packed_scale", "packed_color")
_LEAST_LOG_SCALE, _LARGEST_LOG_SCALE = -20.0, 20.0
_HARMONICS_SPAN: Final = 8.0
_MORTON_BITS: Final = 10


def is_compressed(elements: dict[str, PlyElement]) -> bool:
    """Tell whether a PLY file has this layout."""
    return (
        "chunk" in elements
        and "vertex" in elements
        and set(_WORDS) <= set(elements["vertex"].names)
    )


def read_compressed_ply(path: Path, elements: dict[str, PlyElement]) -> GaussianCloud:
    """Read the rows of a file whose head is known.

    Raises:
        EngineError: INPUT_UNREADABLE or INPUT_EMPTY.
    """
    chunk, vertex, more = elements["chunk"], elements["vertex"], elements.get("sh")
    is_known = chunk.names in (_RANGES, _OLD_RANGES) and {k[1:] for _, k in chunk.columns} == {"f4"}
    if not is_known or vertex.names != _WORDS or {k[1:] for _, k in vertex.columns} != {"u4"}:
        raise make_unreadable(
            path, "is a compressed PLY file of an unknown kind.", "Export it as plain PLY."
        )
    if chunk.count * _CHUNK < vertex.count:
        raise make_unreadable(
            path,
            f"has ranges for {chunk.count * _CHUNK:,} of {vertex.count:,} Gaussians.",
            "Copy or download it again.",
        )
    words = read_integers(path, vertex, "u4")
    ranges = np.tile(np.float32([0, 0, 0, 1, 1, 1] * 3), (chunk.count, 1))
    ranges[:, : len(chunk.columns)] = read_table(path, chunk)
    of_chunk = np.arange(vertex.count) // _CHUNK
    ranges = ranges.reshape(chunk.count, 3, 2, 3)

    def spread(part: NDArray[np.float32], kind: int) -> NDArray[np.float32]:
        least, most = ranges[:, kind, 0].take(of_chunk, 0), ranges[:, kind, 1].take(of_chunk, 0)
        return least * (1 - part) + most * part

    colours = _unpack_bytes(words[:, 3])
    harmonics = np.empty((vertex.count, 3, 1), np.float32)
    harmonics[:, :, 0] = colour_to_coefficient(spread(colours[:, :3], 2))
    if more is not None:
        harmonics = np.concatenate([harmonics, _read_more(path, more, vertex.count)], axis=2)
    with np.errstate(over="ignore"):
        scales = np.exp(spread(_unpack_triple(words[:, 2]), 1))
    return GaussianCloud(
        spread(_unpack_triple(words[:, 0]), 0),
        scales,
        unpack_unsigned(words[:, 1]),
        colours[:, 3].copy(),
        harmonics,
    )


def _read_more(path: Path, more: PlyElement, count: int) -> NDArray[np.float32]:
    """Return (G, 3, D - 1), the coefficients above degree 0."""
    coefficients = len(more.columns) // 3
    wanted = tuple(f"f_rest_{index}" for index in range(3 * coefficients))
    kinds = {kind[1:] for _, kind in more.columns}
    if (
        more.names != wanted
        or kinds != {"u1"}
        or coefficients + 1 not in COEFFICIENTS
        or more.count != count
    ):
        raise make_unreadable(
            path, "has spherical harmonics of an unknown kind.", "Export it as plain PLY."
        )
    data = read_integers(path, more, "u1")
    # a byte stands for the middle of its step; 0 and 255 for the ends
    share = (np.arange(256, dtype=np.float32) + np.float32(0.5)) / 256
    share[0], share[255] = 0, 1
    values = ((share - np.float32(0.5)) * np.float32(_HARMONICS_SPAN))[data]
    return values.reshape(count, 3, coefficients)


def _unpack_triple(words: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Return (G, 3), 0 to 1, of 11, 10 and 11 bits."""
    parts = [
        ((words >> np.uint32(shift)) & np.uint32((1 << bits) - 1)) / np.float32((1 << bits) - 1)
        for shift, bits in ((21, 11), (11, 10), (0, 11))
    ]
    return np.stack(parts, axis=1).astype(np.float32, copy=False)


def _unpack_bytes(words: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Return (G, 4), 0 to 1, highest byte first."""
    parts = [((words >> np.uint32(shift)) & np.uint32(255)) for shift in (24, 16, 8, 0)]
    return np.stack(parts, axis=1).astype(np.float32) / np.float32(255)


def write_compressed_ply(path: Path, cloud: GaussianCloud) -> None:
    """Write a file; Gaussians are put into an order in which neighbours share a chunk.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    cloud = cloud.take(order_by_place(cloud.positions))
    chunks = -(-cloud.count // _CHUNK)
    # the last chunk is filled up with its last Gaussian, so that ranges come of whole chunks
    filled = np.minimum(np.arange(chunks * _CHUNK), cloud.count - 1)
    with np.errstate(divide="ignore"):
        logs = np.log(cloud.scales)
    parts = (
        cloud.positions,
        np.clip(logs, np.float32(_LEAST_LOG_SCALE), np.float32(_LARGEST_LOG_SCALE)),
        coefficient_to_colour(cloud.harmonics[:, :, 0]).astype(np.float32),
    )
    ranges = np.empty((chunks, 3, 2, 3), "<f4")
    shares = []
    for kind, part in enumerate(parts):
        grouped = part.take(filled, axis=0).reshape(chunks, _CHUNK, 3)
        least, most = grouped.min(axis=1), grouped.max(axis=1)
        ranges[:, kind, 0], ranges[:, kind, 1] = least, most
        span = np.where(most > least, most - least, np.float32(1))
        shares.append(((grouped - least[:, None]) / span[:, None]).reshape(-1, 3)[: cloud.count])
    words = np.empty((cloud.count, 4), "<u4")
    words[:, 0] = _pack_triple(shares[0])
    words[:, 1] = pack_unsigned(cloud.rotations)
    words[:, 2] = _pack_triple(shares[1])
    words[:, 3] = _pack_bytes(np.column_stack([shares[2], cloud.opacities]))
    rest = cloud.harmonics[:, :, 1:]
    with open_whole(path) as file:
        file.write(_build_head(chunks, cloud.count, 3 * rest.shape[2]))
        file.write(ranges.tobytes())
        file.write(words.tobytes())
        if rest.shape[2]:
            steps = np.trunc((rest / np.float32(_HARMONICS_SPAN) + np.float32(0.5)) * 256)
            file.write(np.clip(steps, 0, 255).astype(np.uint8).tobytes())


def _build_head(chunks: int, count: int, rest: int) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0", f"element chunk {chunks}"]
    lines += [f"property float {name}" for name in _RANGES]
    lines += [f"element vertex {count}", *(f"property uint {name}" for name in _WORDS)]
    if rest:
        lines += [f"element sh {count}"]
        lines += [f"property uchar f_rest_{index}" for index in range(rest)]
    return "\n".join([*lines, "end_header", ""]).encode("ascii")


def _quantise(share: NDArray[np.floating], bits: int) -> NDArray[np.uint32]:
    most = (1 << bits) - 1
    return np.clip(np.floor(share * most + 0.5), 0, most).astype(np.uint32)


def _pack_triple(shares: NDArray[np.floating]) -> NDArray[np.uint32]:
    x, y, z = shares.T
    return (
        (_quantise(x, 11) << np.uint32(21)) | (_quantise(y, 10) << np.uint32(11)) | _quantise(z, 11)
    )


def _pack_bytes(shares: NDArray[np.floating]) -> NDArray[np.uint32]:
    r, g, b, a = (_quantise(column, 8) for column in shares.T)
    return (r << np.uint32(24)) | (g << np.uint32(16)) | (b << np.uint32(8)) | a


def order_by_place(positions: NDArray[np.floating]) -> NDArray[np.int64]:
    """Order points along a curve that keeps neighbours together (Morton).

    Args:
        positions: (G, 3).

    Returns:
        (G,) indices.
    """
    least = positions.min(axis=0)
    span = np.maximum(positions.max(axis=0) - least, np.float32(1e-30))
    steps = ((positions - least) / span * ((1 << _MORTON_BITS) - 1)).astype(np.uint32)
    code = np.zeros(len(positions), np.uint32)
    for bit in range(_MORTON_BITS):
        for axis in range(3):
            code |= ((steps[:, axis] >> np.uint32(bit)) & np.uint32(1)) << np.uint32(3 * bit + axis)
    return np.argsort(code, kind="stable")
