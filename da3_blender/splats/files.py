# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and write clouds of Gaussians, whatever the format.

Runs in both processes.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final, NamedTuple

from ..contract.errors import EngineError, ErrorCode
from .axes import UpAxis, turn_from_opencv, turn_to_opencv
from .cloud import GaussianCloud, find_sound
from .compressed_ply import is_compressed, read_compressed_ply, write_compressed_ply
from .failures import make_unreadable
from .gaussian_ply import read_gaussian_ply, write_gaussian_ply
from .ply_header import read_ply_header
from .splat_file import read_splat, write_splat
from .spz_file import GZIP, read_spz, write_spz
from .usd_text import write_usd

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES: Final = (".ply", ".spz", ".splat")
"""Files that can be read; USD is written only."""
_SPZ_4_MAGIC: Final = b"NGSP"


class SplatFormat(enum.Enum):
    """A kind of file; the value is the end of its name."""

    PLY = ".ply"
    COMPRESSED_PLY = ".compressed.ply"
    SPZ = ".spz"
    SPLAT = ".splat"
    USD = ".usda"


class SplatsRead(NamedTuple):
    """What a file held.

    Attributes:
        cloud: sound Gaussians, OpenCV world.
        dropped: how many had numbers that are not finite, or no size or rotation.
    """

    cloud: GaussianCloud
    dropped: int


def read_splats(path: Path, up: UpAxis = UpAxis.MINUS_Y) -> SplatsRead:
    """Read a file of Gaussians; what it is shows in its first bytes, not in its name.

    Args:
        path: .ply, .compressed.ply, .spz or .splat.
        up: which way is up in the file. SPZ says itself how its axes are, so `MINUS_Y` takes
            that; the others turn it further.

    Raises:
        EngineError: INPUT_MISSING, INPUT_EMPTY, INPUT_UNREADABLE or OUT_OF_MEMORY.
    """
    try:
        cloud = _read(path)
        sound = find_sound(cloud)
    except FileNotFoundError as error:
        raise EngineError(
            ErrorCode.INPUT_MISSING, f"There is no file {path}.", "Choose another file."
        ) from error
    except OSError as error:
        raise make_unreadable(
            path, f"cannot be opened ({error.strerror or error}).", "Check that you may read it."
        ) from error
    except MemoryError as error:
        raise EngineError(
            ErrorCode.OUT_OF_MEMORY,
            f"{path.name} does not fit into the memory.",
            "Close other programs, or thin the cloud in the program that made it.",
        ) from error
    dropped = cloud.count - int(sound.sum())
    if dropped == cloud.count:
        raise make_unreadable(
            path,
            f"holds {cloud.count:,} Gaussians of which none has sound numbers.",
            "Export it anew from the program that made it.",
        )
    if dropped:
        cloud = cloud.take(sound)
    return SplatsRead(turn_to_opencv(cloud, up), dropped)


def _read(path: Path) -> GaussianCloud:
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(b"ply"):
        elements = read_ply_header(path)
        read = read_compressed_ply if is_compressed(elements) else read_gaussian_ply
        return read(path, elements)
    if start.startswith(GZIP):
        return read_spz(path)
    if start == _SPZ_4_MAGIC:
        raise make_unreadable(
            path,
            "is of SPZ version 4 or later; versions 1, 2 and 3 can be read.",
            "Save it as version 3, or as PLY.",
        )
    if path.suffix.lower() == SplatFormat.SPLAT.value:
        return read_splat(path)
    raise make_unreadable(
        path,
        "is no file of Gaussians.",
        "Choose a .ply, .compressed.ply, .spz or .splat file of a splat program.",
    )


def write_splats(
    path: Path, cloud: GaussianCloud, kind: SplatFormat, up: UpAxis = UpAxis.MINUS_Y
) -> None:
    """Write a file of Gaussians; it appears under its name when it is complete.

    Args:
        path: of the file; an older one is replaced.
        cloud: OpenCV world, at least one Gaussian.
        kind: PLY is exact; see the writers for the steps of the others.
        up: which way is up in the file. SPZ and USD say themselves how their axes are, so
            `MINUS_Y` is right for them.

    Raises:
        EngineError: INPUT_EMPTY, SETTINGS_INVALID, DISK_FULL or OUTPUT_UNWRITABLE.
    """
    if not cloud.count:
        raise EngineError(
            ErrorCode.INPUT_EMPTY,
            "No Gaussian is left to write.",
            "Widen the limits, or choose another object.",
        )
    writer = {
        SplatFormat.PLY: write_gaussian_ply,
        SplatFormat.COMPRESSED_PLY: write_compressed_ply,
        SplatFormat.SPZ: write_spz,
        SplatFormat.SPLAT: write_splat,
        SplatFormat.USD: write_usd,
    }[kind]
    writer(path, turn_from_opencv(cloud, up))
