# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit quaternions in 32 bits or fewer, as compressed files hold them.

Runs in both processes. A quaternion and its negative are the same rotation, so the largest
component can be made positive and left out: its place takes 2 bits, the others 10 bits each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from .cloud import normalise_rotations

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_HALF_ROOT: Final = np.float32(np.sqrt(0.5))
"""The largest value that a component other than the largest can have."""
_BITS: Final = 10
_MASK: Final = (1 << _BITS) - 1
_SIGN: Final = 1 << (_BITS - 1)
_MAGNITUDES: Final = _SIGN - 1


def pack_unsigned(rotations: NDArray[np.floating]) -> NDArray[np.uint32]:
    """Pack (G, 4) into the words of compressed PLY: -sqrt(1/2) to sqrt(1/2) become 0 to 1023.

    The order of the components is that of the words; compressed PLY has w, x, y, z.
    """
    return _pack(
        rotations,
        lambda part: np.clip(
            np.floor((part / (2 * _HALF_ROOT) + np.float32(0.5)) * _MASK + np.float32(0.5)),
            0,
            _MASK,
        ).astype(np.uint32),
    )


def unpack_unsigned(words: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Unpack what `pack_unsigned` packed, (G, 4)."""
    return _unpack(
        words,
        lambda part: (part.astype(np.float32) / _MASK - np.float32(0.5)) * (2 * _HALF_ROOT),
    )


def pack_signed(rotations: NDArray[np.floating]) -> NDArray[np.uint32]:
    """Pack (G, 4) into SPZ's words: a sign and 9 bits of magnitude; SPZ has x, y, z, w."""

    def encode(part: NDArray[np.float32]) -> NDArray[np.uint32]:
        size = np.abs(part) / _HALF_ROOT * _MAGNITUDES + np.float32(0.5)
        magnitude = np.minimum(size.astype(np.uint32), _MAGNITUDES)
        return magnitude | np.where(part < 0, np.uint32(_SIGN), np.uint32(0))

    return _pack(rotations, encode)


def unpack_signed(words: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Unpack what `pack_signed` packed, (G, 4)."""

    def decode(part: NDArray[np.uint32]) -> NDArray[np.float32]:
        size = (part & _MAGNITUDES).astype(np.float32) * (_HALF_ROOT / _MAGNITUDES)
        return np.where(part & _SIGN, -size, size)

    return _unpack(words, decode)


def _pack(
    rotations: NDArray[np.floating], encode: Callable[[NDArray[np.float32]], NDArray[np.uint32]]
) -> NDArray[np.uint32]:
    unit = normalise_rotations(rotations)
    every = np.arange(len(unit))
    largest = np.abs(unit).argmax(axis=1)
    unit *= np.where(unit[every, largest] < 0, np.float32(-1), np.float32(1))[:, None]
    words = largest.astype(np.uint32)
    for place in range(3):
        # components in order, without the largest
        component = place + (largest <= place)
        words = (words << np.uint32(_BITS)) | encode(unit[every, component])
    return words


def _unpack(
    words: NDArray[np.uint32], decode: Callable[[NDArray[np.uint32]], NDArray[np.float32]]
) -> NDArray[np.float32]:
    words = words.astype(np.uint32, copy=False)
    every = np.arange(len(words))
    largest = (words >> np.uint32(3 * _BITS)).astype(np.int64)
    rotations = np.empty((len(words), 4), np.float32)
    total = np.zeros(len(words), np.float32)
    for place in range(3):
        part = decode((words >> np.uint32((2 - place) * _BITS)) & np.uint32(_MASK))
        rotations[every, place + (largest <= place)] = part
        total += part * part
    rotations[every, largest] = np.sqrt(np.maximum(1 - total, 0))
    return rotations
