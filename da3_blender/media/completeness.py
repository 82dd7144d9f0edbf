# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cheap look whether a picture file was cut off, without decoding it.

Runs in the engine. It finds interrupted copies and downloads; damage in the middle of a file
shows when the picture is decoded.
"""

from __future__ import annotations

import mmap
import os
import struct
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_TAIL_BYTES: Final = 65_536
_JPEG_END: Final = b"\xff\xd9"
_JPEG_SCAN: Final = 0xDA
_JPEG_BARE_MARKERS: Final = (0x01, 0xD8, 0xFF, *range(0xD0, 0xD8))
_BMP_PLAIN: Final = (0, 3)  # no compression, without and with bit masks
_TIFF_OFFSETS: Final = (273, 324)  # of strips, of tiles
_TIFF_LENGTHS: Final = (279, 325)
_TIFF_INTEGERS: Final = {3: "H", 4: "I"}
_EXR_LINES_PER_CHUNK: Final = (1, 1, 1, 16, 32, 16, 32, 32, 32, 256)
_EXR_NOT_PLAIN: Final = 0x200 | 0x800 | 0x1000  # tiled, deep, several parts


def is_cut_off(path: Path) -> bool:
    """Tell whether a picture file certainly ends too early; False when in doubt.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(32)
        check = next(
            (check for where, magic, check in _CHECKS if head[where:].startswith(magic)), None
        )
        try:
            return check is not None and check(file, size)
        except struct.error:  # the file ends inside a header
            return True


def _is_jpeg_cut_off(file: BinaryIO, size: int) -> bool:
    scan = _find_jpeg_scan(file, size)
    if scan is None:
        return True
    file.seek(max(scan, size - _TAIL_BYTES))
    if _JPEG_END in file.read():
        return False
    # Phones append films and maps behind the picture: look at everything after the header,
    # where an end marker cannot be part of the picture data or of a thumbnail.
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(_JPEG_END, scan) < 0


def _find_jpeg_scan(file: BinaryIO, size: int) -> int | None:
    """Return where the compressed pixels begin, or None if the file ends before."""
    position = 2
    while position + 4 <= size:
        file.seek(position)
        fill, marker, length = struct.unpack(">BBH", file.read(4))
        if fill != 0xFF:  # noqa: PLR2004 - junk between segments; decoders search on from here
            return position
        if marker in _JPEG_BARE_MARKERS:
            position += 1 if marker == 0xFF else 2  # noqa: PLR2004 - a fill byte
        elif marker == _JPEG_SCAN:
            return position + 2 + length
        else:
            position += 2 + length
    return None


def _is_png_cut_off(file: BinaryIO, size: int) -> bool:
    position = 8
    while position < size:
        file.seek(position)
        length, kind = struct.unpack(">I4s", file.read(8))
        position += 12 + length
        if kind == b"IEND":
            return position > size
    return True


def _is_heic_cut_off(file: BinaryIO, size: int) -> bool:
    position = 0
    while position < size:
        file.seek(position)
        length = struct.unpack(">I4s", file.read(8))[0]
        if length == 1:
            length = struct.unpack(">Q", file.read(8))[0]
        if length == 0:  # reaches to the end of the file
            return False
        if length < 8:  # noqa: PLR2004 - not a box; the decoder may know better
            return False
        position += length
    return position > size


def _is_exr_cut_off(file: BinaryIO, size: int) -> bool:
    """Look at the table of offsets of a single-part scan-line file."""
    file.seek(4)
    if struct.unpack("<I", file.read(4))[0] & _EXR_NOT_PLAIN:
        return False
    compression, first_line, last_line = -1, 0, -1
    while name := _read_exr_text(file):
        _read_exr_text(file)
        value = file.read(struct.unpack("<I", file.read(4))[0])
        if name == b"compression":
            compression = value[0] if value else -1
        elif name == b"dataWindow":
            _, first_line, _, last_line = struct.unpack("<4i", value)
    if not 0 <= compression < len(_EXR_LINES_PER_CHUNK) or last_line < first_line:
        return False
    chunks = -(-(last_line - first_line + 1) // _EXR_LINES_PER_CHUNK[compression])
    table = file.read(8 * chunks)
    offsets = struct.unpack(f"<{chunks}Q", table)
    if min(offsets) == 0:  # a renderer that died leaves holes in the table
        return True
    file.seek(max(offsets))
    return file.tell() + 8 + struct.unpack("<iI", file.read(8))[1] > size


def _is_bmp_cut_off(file: BinaryIO, size: int) -> bool:
    file.seek(10)
    offset, header, width, height, _, bits, packing = struct.unpack("<IIiiHHI", file.read(24))
    if header < 40 or packing not in _BMP_PLAIN:  # noqa: PLR2004 - the oldest form, or compressed
        return False
    row = (abs(width) * bits + 31) // 32 * 4
    return offset + row * abs(height) > size


def _is_tiff_cut_off(file: BinaryIO, size: int) -> bool:
    """Look where the first directory and its strips or tiles lie; big TIFF is not looked at."""
    file.seek(0)
    order = "<" if file.read(2) == b"II" else ">"
    file.seek(struct.unpack(f"{order}HI", file.read(6))[1])
    entries = struct.unpack(f"{order}H", file.read(2))[0]
    arrays: dict[int, list[int]] = {}
    for entry in struct.iter_unpack(f"{order}HHI4s", file.read(12 * entries)):
        tag, kind, count, value = entry
        if tag in _TIFF_OFFSETS + _TIFF_LENGTHS and kind in _TIFF_INTEGERS:
            arrays[tag] = _read_tiff_array(file, order, _TIFF_INTEGERS[kind], count, value)
    for offsets, lengths in zip(_TIFF_OFFSETS, _TIFF_LENGTHS, strict=True):
        pairs = zip(arrays.get(offsets, []), arrays.get(lengths, []), strict=False)
        if any(offset + length > size for offset, length in pairs):
            return True
    return False


def _read_tiff_array(file: BinaryIO, order: str, code: str, count: int, value: bytes) -> list[int]:
    layout = f"{order}{count}{code}"
    needed = struct.calcsize(layout)
    if needed > len(value):  # does not fit into the entry, which tells the place instead
        back = file.tell()
        file.seek(struct.unpack(f"{order}I", value)[0])
        value = file.read(needed)
        file.seek(back)
    return list(struct.unpack(layout, value[:needed]))


def _is_webp_cut_off(file: BinaryIO, size: int) -> bool:
    file.seek(4)
    return struct.unpack("<I", file.read(4))[0] + 8 > size


def _read_exr_text(file: BinaryIO) -> bytes:
    text = bytearray()
    while (byte := file.read(1)) not in (b"\0", b""):
        text += byte
    return bytes(text)


# where in the file, what stands there, how to look
_CHECKS: Final[tuple[tuple[int, bytes, Callable[[BinaryIO, int], bool]], ...]] = (
    (0, b"\xff\xd8", _is_jpeg_cut_off),
    (0, b"\x89PNG\r\n\x1a\n", _is_png_cut_off),
    (8, b"WEBP", _is_webp_cut_off),
    (4, b"ftyp", _is_heic_cut_off),
    (0, b"BM", _is_bmp_cut_off),
    (0, b"II*\0", _is_tiff_cut_off),
    (0, b"MM\0*", _is_tiff_cut_off),
    (0, b"\x76\x2f\x31\x01", _is_exr_cut_off),
)
