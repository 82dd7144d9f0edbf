# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""COLMAP's binary models: cameras.bin, images.bin, points3D.bin.

Runs in both processes.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..contract.rotations import matrix_to_quaternion
from ..contract.whole_file import open_whole
from .colmap_lenses import MODELS, make_lens, number_model, share_lenses
from .colmap_parts import ModelImage, ModelParts, ModelPoints, make_w2c
from .view_names import name_view

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

    from ..contract.camera_file import CameraFile
    from ..contract.lens import Lens
    from .tracks import Tracks

_FEATURE: Final = np.dtype([("xy", "<f8", 2), ("point", "<u8")])
_POINT: Final = np.dtype(
    [("id", "<u8"), ("xyz", "<f8", 3), ("rgb", "u1", 3), ("error", "<f8"), ("length", "<u8")]
)
_ELEMENT: Final = np.dtype([("image", "<u4"), ("index", "<u4")])
_CHUNK: Final = 50_000  # points that are put together at a time, for the memory


def read_binary_model(folder: Path) -> ModelParts:
    """Read the three files; points3D.bin may be missing.

    Raises:
        EngineError: INPUT_UNREADABLE; a lens that we do not have.
        OSError: of reading.
        ValueError: the file is damaged.
        struct.error: it is cut off.
    """
    path = folder / "points3D.bin"
    return ModelParts(
        _read_lenses(folder / "cameras.bin"),
        _read_images(folder / "images.bin"),
        _read_points(path) if path.is_file() else None,
    )


def _unpack(file: BinaryIO, form: str) -> tuple[Any, ...]:
    return struct.unpack("<" + form, file.read(struct.calcsize("<" + form)))


def _read_lenses(path: Path) -> dict[int, Lens]:
    lenses: dict[int, Lens] = {}
    with path.open("rb") as file:
        (count,) = _unpack(file, "Q")
        for _ in range(count):
            number, kind, width, height = _unpack(file, "IiQQ")
            if not 0 <= kind < len(MODELS):
                message = f"no lens of the kind {kind}"
                raise ValueError(message)
            name, params = MODELS[kind]
            lenses[number] = make_lens(path, name, (width, height), _unpack(file, f"{params}d"))
    return lenses


def _read_images(path: Path) -> list[ModelImage]:
    data = path.read_bytes()
    (count,) = struct.unpack_from("<Q", data)
    at = 8
    images = []
    for _ in range(count):
        number, *pose, camera = struct.unpack_from("<I7dI", data, at)
        at += struct.calcsize("<I7dI")
        end = data.index(b"\0", at)
        name = data[at:end].decode("utf-8")
        (features,) = struct.unpack_from("<Q", data, end + 1)
        at = end + 9
        found = np.frombuffer(data, _FEATURE, features, at)["xy"].astype(np.float64)
        at += features * _FEATURE.itemsize
        images.append(ModelImage(number, name, camera, make_w2c(pose[:4], pose[4:]), found))
    return images


def _read_points(path: Path) -> ModelPoints:
    data = path.read_bytes()
    (count,) = struct.unpack_from("<Q", data)
    starts = np.empty(count, np.int64)
    lengths = np.empty(count, np.int64)
    at, read_length = 8, struct.Struct("<Q").unpack_from
    for index in range(count):
        starts[index] = at
        (length,) = read_length(data, at + _POINT.itemsize - 8)
        lengths[index] = length
        at += _POINT.itemsize + length * _ELEMENT.itemsize
    if at > len(data):
        message = f"{path.name} is cut off"
        raise ValueError(message)
    raw = np.frombuffer(data, np.uint8)
    heads = raw[starts[:, None] + np.arange(_POINT.itemsize)].view(_POINT)[:, 0]
    track = np.repeat(np.arange(count), lengths)
    first = np.cumsum(lengths) - lengths
    rank = np.arange(len(track)) - first[track]
    places = starts[track] + _POINT.itemsize + rank * _ELEMENT.itemsize
    elements = raw[places[:, None] + np.arange(_ELEMENT.itemsize)].view(_ELEMENT)[:, 0]
    return ModelPoints(
        heads["xyz"].astype(np.float64),
        heads["rgb"].copy(),
        heads["error"].astype(np.float64),
        elements["image"].astype(np.int64),
        elements["index"].astype(np.int64),
        track,
    )


def write_binary_model(folder: Path, cameras: CameraFile, tracks: Tracks) -> None:
    """Write the three files.

    Args:
        folder: gets them.
        cameras: views are numbered from 1 in their order.
        tracks: sorted by point.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    lenses, lens_of_view = share_lenses(cameras)
    with open_whole(folder / "cameras.bin") as file:
        file.write(struct.pack("<Q", len(lenses)))
        for number, lens in enumerate(lenses, 1):
            kind = number_model(lens.model)
            file.write(struct.pack("<IiQQ", number, kind, lens.width, lens.height))
            file.write(struct.pack(f"<{len(lens.params)}d", *lens.params))
    _write_images(folder / "images.bin", cameras, lens_of_view, tracks)
    _write_points(folder / "points3D.bin", tracks, tracks.index_in_views(len(cameras.views)))


def _write_images(
    path: Path, cameras: CameraFile, lens_of_view: Sequence[int], tracks: Tracks
) -> None:
    quaternions = matrix_to_quaternion(cameras.w2c[:, :3, :3])
    order = np.argsort(tracks.view, kind="stable")
    ends = np.searchsorted(tracks.view[order], np.arange(len(cameras.views) + 1))
    with open_whole(path) as file:
        file.write(struct.pack("<Q", len(cameras.views)))
        for index, view in enumerate(cameras.views):
            mine = order[ends[index] : ends[index + 1]]
            features = np.empty(len(mine), _FEATURE)
            features["xy"] = tracks.px[mine]
            features["point"] = tracks.track[mine] + 1
            pose = (*quaternions[index], *cameras.w2c[index, :3, 3])
            file.write(struct.pack("<I7dI", index + 1, *pose, lens_of_view[index] + 1))
            file.write(name_view(view).encode() + b"\0")
            file.write(struct.pack("<Q", len(mine)))
            file.write(features.tobytes())


def _write_points(path: Path, tracks: Tracks, places: NDArray[np.intp]) -> None:
    elements = np.empty(len(tracks.view), _ELEMENT)
    elements["image"] = tracks.view + 1
    elements["index"] = places
    count = len(tracks.points)
    ends = np.searchsorted(tracks.track, np.arange(count + 1))
    heads = np.empty(count, _POINT)
    heads["id"] = np.arange(count) + 1
    heads["xyz"] = tracks.points
    heads["rgb"] = tracks.colours
    heads["error"] = tracks.error_px
    heads["length"] = np.diff(ends)
    with open_whole(path) as file:
        file.write(struct.pack("<Q", count))
        for start in range(0, count, _CHUNK):
            stop = min(start + _CHUNK, count)
            file.write(_interleave(heads[start:stop], elements[ends[start] : ends[stop]]).tobytes())


def _interleave(heads: NDArray[np.void], elements: NDArray[np.void]) -> NDArray[np.uint8]:
    """Put the elements of each track behind its point; both in the order of the points."""
    lengths = heads["length"].astype(np.int64)
    before = np.cumsum(lengths) - lengths
    starts = np.arange(len(heads)) * _POINT.itemsize + before * _ELEMENT.itemsize
    track = np.repeat(np.arange(len(heads)), lengths)
    rank = np.arange(len(elements)) - before[track]
    data = np.empty(heads.nbytes + elements.nbytes, np.uint8)
    data[starts[:, None] + np.arange(_POINT.itemsize)] = (
        np.ascontiguousarray(heads).view(np.uint8).reshape(len(heads), -1)
    )
    places = starts[track] + _POINT.itemsize + rank * _ELEMENT.itemsize
    data[places[:, None] + np.arange(_ELEMENT.itemsize)] = (
        np.ascontiguousarray(elements).view(np.uint8).reshape(len(elements), _ELEMENT.itemsize)
    )
    return data
