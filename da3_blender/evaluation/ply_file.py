# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads PLY files: the vertices of a cloud, or a mesh as triangles.

Runs in the engine. Format: Greg Turk, The PLY polygon file format; text and both byte orders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

import numpy as np

from ..contract.errors import ErrorCode
from .refusals import refuse

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_TYPES: Final = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2",
    "ushort": "u2", "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
_ORDERS: Final = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}
_LONGEST_HEADER: Final = 1 << 16
_HINT: Final = "Save it again as a PLY of points, or of triangles, from Blender or MeshLab."


class Mesh(NamedTuple):
    """Points, and triangles if the file has faces.

    vertices: (V, 3) float64; faces: (F, 3) int64, F may be 0.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]


class _Property(NamedTuple):
    name: str
    kind: str
    count_kind: str  # of a list; "" for a single number


class _Element(NamedTuple):
    name: str
    count: int
    properties: list[_Property]


def read_ply(path: Path) -> Mesh:
    """Read a PLY file.

    Args:
        path: with an element `vertex` (x, y, z) and maybe `face` (a list of indices);
            polygons are cut into triangles.

    Raises:
        EngineError: INPUT_UNREADABLE with the path.
    """
    try:
        with path.open("rb") as file:
            order, elements = _read_header(file)
            read = _read_text if not order else _read_binary
            return _collect(read(file, elements, order))
    except (OSError, ValueError, KeyError, IndexError, EOFError) as error:
        why = f"it is no readable PLY file ({error})"
        raise refuse(path, why, _HINT, ErrorCode.INPUT_UNREADABLE) from error


def _read_header(file: BinaryIO) -> tuple[str, list[_Element]]:
    """Return the byte order, "" for text, and the elements."""
    if file.readline(_LONGEST_HEADER).strip() != b"ply":
        message = "it does not begin with ply"
        raise ValueError(message)
    order, elements = None, []
    while line := file.readline(_LONGEST_HEADER):
        words = line.decode("ascii", "replace").split()
        if words[:1] == ["end_header"]:
            break
        if words[:1] == ["format"]:
            order = _ORDERS[words[1]]
        elif words[:1] == ["element"]:
            elements.append(_Element(words[1], int(words[2]), []))
        elif words[:1] == ["property"]:
            elements[-1].properties.append(_read_property(words))
    if not line or order is None:
        message = "its header has no end or no format"
        raise ValueError(message)
    return order, elements


def _read_property(words: list[str]) -> _Property:
    if words[1] == "list":
        return _Property(words[4], _TYPES[words[3]], _TYPES[words[2]])
    return _Property(words[2], _TYPES[words[1]], "")


_Columns = dict[str, dict[str, "NDArray | list[NDArray]"]]


def _read_binary(file: BinaryIO, elements: list[_Element], order: str) -> _Columns:
    data = file.read()
    columns: _Columns = {}
    at = 0
    for element in elements:
        columns[element.name], at = _read_element(data, at, element, order)
    return columns


def _read_element(
    data: bytes, at: int, element: _Element, order: str
) -> tuple[dict[str, NDArray | list[NDArray]], int]:
    """Return the columns of an element that begins at byte `at`, and where it ends."""
    kind = _guess_record(data, at, element, order)
    size = kind.itemsize * element.count
    if at + size <= len(data):
        records = np.frombuffer(data, kind, element.count, at)
        counts = [records["#" + p.name] for p in element.properties if p.count_kind]
        if all((count == count[0]).all() for count in counts if len(count)):
            return {p.name: records[p.name] for p in element.properties}, at + size
    if not any(p.count_kind for p in element.properties):
        message = "it ends too early"
        raise ValueError(message)
    return _read_mixed_lists(data, at, element, order)


def _guess_record(data: bytes, at: int, element: _Element, order: str) -> np.dtype:
    """Return the type of an element's records if all its lists are as long as in the first."""
    parts: list[tuple] = []
    for p in element.properties:
        if not p.count_kind:
            parts.append((p.name, order + p.kind))
            continue
        before = np.dtype(parts).itemsize if parts else 0
        length = 0
        if element.count:
            length = int(np.frombuffer(data, order + p.count_kind, 1, at + before)[0])
        parts += [("#" + p.name, order + p.count_kind), (p.name, order + p.kind, (length,))]
    return np.dtype(parts)


def _read_mixed_lists(
    data: bytes, at: int, element: _Element, order: str
) -> tuple[dict[str, NDArray | list[NDArray]], int]:
    found: dict[str, list[NDArray]] = {p.name: [] for p in element.properties}
    for _ in range(element.count):
        for p in element.properties:
            length = 1
            if p.count_kind:
                length = int(np.frombuffer(data, order + p.count_kind, 1, at)[0])
                at += np.dtype(p.count_kind).itemsize
            found[p.name].append(np.frombuffer(data, order + p.kind, length, at))
            at += length * np.dtype(p.kind).itemsize
    return dict(found), at


def _read_text(file: BinaryIO, elements: list[_Element], _order: str) -> _Columns:
    columns: _Columns = {}
    for element in elements:
        rows = [file.readline().split() for _ in range(element.count)]
        if any(not row for row in rows):
            message = "it ends too early"
            raise ValueError(message)
        if not any(p.count_kind for p in element.properties):
            table = np.array(rows, np.float64).reshape(element.count, len(element.properties))
            columns[element.name] = {p.name: table[:, i] for i, p in enumerate(element.properties)}
            continue
        found: dict[str, list[NDArray]] = {p.name: [] for p in element.properties}
        for row in rows:
            at = 0
            for p in element.properties:
                length, at = (int(row[at]), at + 1) if p.count_kind else (1, at)
                found[p.name].append(np.array(row[at : at + length], np.float64))
                at += length
        columns[element.name] = dict(found)
    return columns


def _collect(columns: _Columns) -> Mesh:
    vertex = columns["vertex"]
    vertices = np.stack([np.asarray(vertex[a], np.float64).reshape(-1) for a in "xyz"], axis=1)
    face = columns.get("face", {})
    lists = next((face[n] for n in ("vertex_indices", "vertex_index") if n in face), None)
    if lists is None or not len(lists):
        return Mesh(vertices, np.zeros((0, 3), np.int64))
    by_length: dict[int, list[NDArray]] = {}
    if isinstance(lists, np.ndarray):
        by_length[lists.shape[1]] = [lists.astype(np.int64)]
    else:
        for polygon in lists:
            by_length.setdefault(len(polygon), []).append(polygon.astype(np.int64)[None])
    triangles = [
        polygons[:, (0, corner, corner + 1)]
        for length, group in by_length.items()
        for polygons in [np.concatenate(group)]
        for corner in range(1, length - 1)
    ]
    faces = np.concatenate(triangles) if triangles else np.zeros((0, 3), np.int64)
    if len(faces) and not 0 <= faces.min() <= faces.max() < len(vertices):
        message = f"a face names the vertex {faces.max()} of {len(vertices)}"
        raise ValueError(message)
    return Mesh(vertices, faces)
