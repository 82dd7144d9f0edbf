# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The head of a PLY file, and its tables of numbers.

Runs in both processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from .failures import check_count, check_length, make_unreadable

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_LARGEST_HEADER: Final = 1 << 16
_KINDS: Final = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1",
    "short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2",
    "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
_ORDERS: Final = {"binary_little_endian": "<", "binary_big_endian": ">"}
_BROKEN_HINT: Final = "Copy or download it again, or export it anew."


@dataclass(frozen=True)
class PlyElement:
    """One table of a PLY file.

    Attributes:
        name: such as `vertex`.
        count: rows.
        columns: (name, numpy type with byte order) in order.
        start: byte of the file at which its rows begin.
        has_lists: its rows differ in length; then nothing after it can be found.
    """

    name: str
    count: int
    columns: tuple[tuple[str, str], ...]
    start: int
    has_lists: bool

    @property
    def row_bytes(self) -> int:
        """Return the length of a row."""
        return sum(np.dtype(kind).itemsize for _, kind in self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(name for name, _ in self.columns)


def read_ply_header(path: Path) -> dict[str, PlyElement]:
    """Read which tables a binary PLY file has.

    Raises:
        EngineError: INPUT_UNREADABLE; not a PLY file, a text file, or a broken head.
    """
    with path.open("rb") as file:
        head = file.read(_LARGEST_HEADER)
    if not head.startswith(b"ply"):
        raise make_unreadable(path, "is not a PLY file.", "Choose a file of Gaussians.")
    end = head.find(b"end_header")
    stop = head.find(b"\n", end) if end >= 0 else -1
    if stop < 0:
        raise make_unreadable(path, "has a head without an end.", _BROKEN_HINT)
    lines = [line.split() for line in head[:end].decode("ascii", "replace").splitlines()]
    order = next((line[1] for line in lines if line[:1] == ["format"] and line[1:]), "")
    if order == "ascii":
        raise make_unreadable(
            path,
            "is a text (ASCII) PLY file.",
            "Save it as a binary PLY file, which all splat programs write.",
        )
    if order not in _ORDERS:
        raise make_unreadable(path, f"has the unknown format {order or '(none)'}.", _BROKEN_HINT)
    try:
        return _read_elements(lines, _ORDERS[order], stop + 1)
    except (ValueError, KeyError, IndexError) as error:
        raise make_unreadable(path, f"has a broken head ({error}).", _BROKEN_HINT) from error


def _read_elements(lines: list[list[str]], order: str, start: int) -> dict[str, PlyElement]:
    found: list[tuple[str, int, list[tuple[str, str]], list[bool]]] = []
    for words in lines:
        if words[:1] == ["element"]:
            found.append((words[1], int(words[2]), [], []))
            if found[-1][1] < 0:
                message = f"{words[2]} rows of {words[1]}"
                raise ValueError(message)
        elif words[:1] == ["property"] and found:
            is_list = words[1] == "list"
            found[-1][3].append(is_list)
            found[-1][2].append((words[-1], order + _KINDS[words[3 if is_list else 1]]))
    elements: dict[str, PlyElement] = {}
    for name, count, columns, lists in found:
        element = PlyElement(name, count, tuple(columns), start, any(lists))
        elements[name] = element
        if element.has_lists:
            break  # what comes after cannot be found without reading it
        start += count * element.row_bytes
    return elements


def read_table(path: Path, element: PlyElement) -> NDArray[np.float32]:
    """Read a table as numbers.

    Returns:
        (rows, columns) float32.

    Raises:
        EngineError: INPUT_UNREADABLE; the file ends too early.
    """
    rows = _map_rows(path, element)
    kinds = {kind for _, kind in element.columns}
    if kinds in ({"<f4"}, {">f4"}):
        flat = np.fromfile(
            path, kinds.pop(), element.count * len(element.columns), offset=element.start
        )
        return flat.reshape(element.count, -1).astype(np.float32, copy=False)
    table = np.empty((element.count, len(element.columns)), np.float32)
    for index, (name, _) in enumerate(element.columns):
        table[:, index] = rows[name]
    return table


def read_integers(path: Path, element: PlyElement, kind: str) -> NDArray[np.integer]:
    """Read a table whose columns all have one integer type, (rows, columns).

    Raises:
        EngineError: INPUT_UNREADABLE; the file ends too early.
    """
    _map_rows(path, element)
    count = element.count * len(element.columns)
    order = element.columns[0][1][0]
    return np.fromfile(path, order + kind, count, offset=element.start).reshape(element.count, -1)


def _map_rows(path: Path, element: PlyElement) -> NDArray[np.void]:
    check_count(path, element.count)
    size = path.stat().st_size
    check_length(path, element.start + element.count * element.row_bytes, size, element.count)
    names = [f"{name}" for name in element.names]
    if len(set(names)) < len(names):
        raise make_unreadable(path, "has two columns of the same name.", _BROKEN_HINT)
    return np.memmap(path, list(element.columns), "r", element.start, (element.count,))
