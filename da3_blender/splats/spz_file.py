# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SPZ files: about a tenth of the size of PLY.

Runs in both processes. Source of the layout: Niantic's description of SPZ (MIT), versions 1 to 3.
A gzip stream of a head and columns: positions in fixed point, opacity, colour, log(scale),
rotation, further coefficients. Its axes are x right, y up, z back; here they become OpenCV's.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..contract.errors import EngineError, ErrorCode
from ..contract.whole_file import open_whole
from .axes import UpAxis, turn_from_opencv, turn_to_opencv
from .cloud import COEFFICIENTS, GaussianCloud, normalise_rotations
from .failures import check_count, check_length, make_unreadable
from .small_quaternions import pack_signed, unpack_signed

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MAGIC: Final = 0x5053474E
GZIP: Final = b"\x1f\x8b"
_HEAD: Final = struct.Struct("<IIIBBBB")
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_FLOAT16, _FIRST_THREE, _SMALLEST_THREE = 1, 2, 3
_VERSIONS: Final = (_FLOAT16, _FIRST_THREE, _SMALLEST_THREE)
_MORE_COEFFICIENTS: Final = (0, 3, 8, 15, 24)
_COLOUR_SCALE: Final = 0.15
_SCALE_STEPS, _SCALE_OFFSET = 16.0, 10.0
_LARGEST_FIXED: Final = (1 << 23) - 1
_MOST_FRACTION_BITS: Final = 20
_HARMONICS_STEPS: Final = (8, 16)
"""Bytes of degree 1 are rounded to multiples of 8, of higher degrees to 16: Niantic's default,
without which the stream packs badly."""
_GZIP_LEVEL: Final = 6


class _Head(NamedTuple):
    version: int
    count: int
    degree: int
    fraction_bits: int

    def list_sizes(self) -> tuple[int, ...]:
        """Return bytes of a Gaussian in each column."""
        return (
            6 if self.version == _FLOAT16 else 9,
            1,
            3,
            3,
            4 if self.version == _SMALLEST_THREE else 3,
            3 * _MORE_COEFFICIENTS[self.degree],
        )


def read_spz(path: Path) -> GaussianCloud:
    """Read a file.

    Returns:
        All Gaussians. Degree 4 is cut to 3; extensions at the end of the stream are passed over.

    Raises:
        EngineError: INPUT_UNREADABLE or INPUT_EMPTY.
    """
    stream = zlib.decompressobj(_GZIP_WINDOW)
    with path.open("rb") as file:
        packed = file.read()
    try:
        plain = stream.decompress(packed, _HEAD.size)
        head = _read_head(path, plain)
        # never more than the head says: a small file cannot fill the memory
        length = head.count * sum(head.list_sizes())
        body = stream.decompress(stream.unconsumed_tail, max(length, 1))
    except zlib.error as error:
        raise make_unreadable(
            path, f"cannot be unpacked ({error}).", "Copy or download it again."
        ) from error
    check_length(path, _HEAD.size + length, len(plain) + len(body), head.count)
    return turn_to_opencv(_decode(head, body), UpAxis.PLUS_Y)


def _read_head(path: Path, plain: bytes) -> _Head:
    if len(plain) < _HEAD.size:
        raise make_unreadable(path, "ends within its head.", "Copy or download it again.")
    magic, version, count, degree, fraction_bits, _, _ = _HEAD.unpack(plain)
    if magic != MAGIC:
        raise make_unreadable(path, "is not an SPZ file.", "Choose a file of Gaussians.")
    if version not in _VERSIONS:
        raise make_unreadable(
            path,
            f"is of SPZ version {version}; versions 1, 2 and 3 can be read.",
            "Save it as version 3, or as PLY.",
        )
    if degree >= len(_MORE_COEFFICIENTS) or fraction_bits > _LARGEST_FIXED.bit_length():
        raise make_unreadable(
            path,
            f"has a broken head (degree {degree}, {fraction_bits} fraction bits).",
            "Copy or download it again.",
        )
    check_count(path, count)
    return _Head(version, count, degree, fraction_bits)


def _decode(head: _Head, body: bytes) -> GaussianCloud:
    columns, at = [], 0
    for size in head.list_sizes():
        part = np.frombuffer(body, np.uint8, head.count * size, at)
        columns.append(part.reshape(head.count, size))
        at += head.count * size
    places, opacities, colours, scales, rotations, more = columns
    stored = _MORE_COEFFICIENTS[head.degree]
    kept = min(stored, COEFFICIENTS[-1] - 1)
    harmonics = np.empty((head.count, 3, 1 + kept), np.float32)
    harmonics[:, :, 0] = (colours / np.float32(255) - np.float32(0.5)) / np.float32(_COLOUR_SCALE)
    values = (more.reshape(head.count, stored, 3).astype(np.float32) - 128) / 128
    harmonics[:, :, 1:] = values[:, :kept].transpose(0, 2, 1)
    logs = scales / np.float32(_SCALE_STEPS) - np.float32(_SCALE_OFFSET)
    return GaussianCloud(
        _decode_places(head, places),
        np.exp(logs),
        _decode_rotations(head, rotations),
        opacities[:, 0] / np.float32(255),
        harmonics,
    )


def _decode_places(head: _Head, places: NDArray[np.uint8]) -> NDArray[np.float32]:
    if head.version == _FLOAT16:
        return places.view("<f2").astype(np.float32)
    parts = places.reshape(head.count, 3, 3)
    padded = np.zeros((head.count, 3, 4), np.uint8)
    padded[:, :, 1:] = parts  # the sign lands in the highest bit
    fixed = padded.view("<i4")[:, :, 0] >> 8
    return fixed.astype(np.float32) * np.float32(2.0**-head.fraction_bits)


def _decode_rotations(head: _Head, rotations: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (G, 4), wxyz; the files have w last."""
    if head.version == _SMALLEST_THREE:
        return np.roll(unpack_signed(rotations.view("<u4")[:, 0]), 1, axis=1)
    xyz = rotations / np.float32(127.5) - np.float32(1)
    w = np.sqrt(np.maximum(1 - np.einsum("ij,ij->i", xyz, xyz), 0))
    return np.column_stack([w, xyz])


def write_spz(path: Path, cloud: GaussianCloud, version: int = _SMALLEST_THREE) -> None:
    """Write a file of version 2 or 3.

    Errors: positions half a step of 2^-20 of a unit or more, so that 24 bits reach the farthest
    Gaussian; log(scale) 1/32, colours 0.013 of a coefficient, opacity 1/510, rotations 0.0007 in
    version 3 and 0.004 in version 2; further coefficients 0.036 in degree 1, 0.067 above, and
    limited to -1 to 1.

    Raises:
        EngineError: SETTINGS_INVALID, the cloud is too large; DISK_FULL or OUTPUT_UNWRITABLE.
    """
    turned = turn_from_opencv(cloud, UpAxis.PLUS_Y)
    bits = find_fraction_bits(cloud.positions)
    fixed = np.rint(turned.positions.astype(np.float64) * 2.0**bits).astype("<i4")
    places = fixed.view(np.uint8).reshape(cloud.count, 3, 4)[:, :, :3]
    with np.errstate(divide="ignore"):
        logs = np.log(turned.scales)
    flat = turned.harmonics[:, :, 0]
    columns = [
        np.ascontiguousarray(places),
        to_bytes(turned.opacities * 255),
        to_bytes(flat * np.float32(_COLOUR_SCALE * 255) + np.float32(127.5)),
        to_bytes((logs + np.float32(_SCALE_OFFSET)) * np.float32(_SCALE_STEPS)),
        _encode_rotations(turned.rotations, version),
        _encode_harmonics(turned.harmonics),
    ]
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    with open_whole(path) as file:
        head = _HEAD.pack(MAGIC, version, cloud.count, cloud.degree, bits, 0, 0)
        file.write(packer.compress(head))
        for column in columns:
            file.write(packer.compress(column.tobytes()))
        file.write(packer.flush())


def find_fraction_bits(positions: NDArray[np.floating]) -> int:
    """Find the finest step, 2^-bits units, whose 24-bit numbers reach the farthest position.

    Raises:
        EngineError: SETTINGS_INVALID; no step does.
    """
    farthest = float(np.abs(positions).max())
    for bits in range(_MOST_FRACTION_BITS, -1, -1):
        if farthest * 2.0**bits <= _LARGEST_FIXED:
            return bits
    raise EngineError(
        ErrorCode.SETTINGS_INVALID,
        f"A Gaussian is {farthest:.3g} units from the origin; SPZ holds {_LARGEST_FIXED:,}.",
        "Scale the cloud down, or save it as PLY.",
    )


def to_bytes(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Round to 0..255, half away from zero, as SPZ's own writer does."""
    return np.clip(np.floor(values + np.float32(0.5)), 0, 255).astype(np.uint8)


def _encode_rotations(rotations: NDArray[np.float32], version: int) -> NDArray[np.generic]:
    unit = np.roll(normalise_rotations(rotations), -1, axis=1)  # xyzw
    if version == _SMALLEST_THREE:
        return pack_signed(unit).astype("<u4")
    unit *= np.where(unit[:, 3:] < 0, np.float32(-1), np.float32(1))
    return to_bytes(unit[:, :3] * np.float32(127.5) + np.float32(127.5))


def _encode_harmonics(harmonics: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return (G, D - 1, 3); the colours of a coefficient stand together."""
    more = np.rint(harmonics[:, :, 1:].transpose(0, 2, 1) * 128) + 128
    steps = np.full(more.shape[1], _HARMONICS_STEPS[1], np.float32)
    steps[:3] = _HARMONICS_STEPS[0]
    rounded = np.floor(more / steps[:, None] + np.float32(0.5)) * steps[:, None]
    return np.clip(rounded, 0, 255).astype(np.uint8)
