# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A COLMAP model from cameras and points: cameras.bin, images.bin, points3D.bin.

Runs in the engine. Format: COLMAP's documentation, "Output Format", binary; OpenCV axes,
scalar-first quaternions, centre of the first pixel at (0.5, 0.5).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..contract.projection import project
from ..contract.rotations import matrix_to_quaternion
from ..contract.whole_file import open_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_PINHOLE: Final = 1  # COLMAP's model id; parameters fx, fy, cx, cy
_POINT_ALONE: Final = np.dtype(
    [("id", "<u8"), ("xyz", "<f8", 3), ("rgb", "u1", 3), ("error", "<f8"), ("length", "<u8")]
)
# One point with a track of one view.
_POINT: Final = np.dtype([*_POINT_ALONE.descr, ("image", "<u4"), ("index", "<u4")])
_PIXEL: Final = np.dtype([("xy", "<f8", 2), ("point", "<u8")])


class ColmapView(NamedTuple):
    """Name and size of one photo; name relative to COLMAP's image folder."""

    name: str
    width: int
    height: int


def write_colmap_model(
    folder: Path,
    views: Sequence[ColmapView],
    cameras: tuple[NDArray[np.floating], NDArray[np.floating]],
    points: NDArray[np.floating],
    colours: NDArray[np.uint8],
    view_of_point: NDArray[np.integer],
) -> None:
    """Write a model with one PINHOLE camera per photo.

    Args:
        folder: gets the three files, such as `sparse/0`.
        views: N photos.
        cameras: K (N, 3, 3) in pixels of the photos, and w2c (N, 4, 4), OpenCV.
        points: (M, 3) world of w2c.
        colours: (M, 3) uint8 sRGB.
        view_of_point: (M,) the view that a point came from; it is observed there. -1 for none.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
        ValueError: the lists do not fit together.
    """
    K, w2c = cameras
    if not len(views) == len(K) == len(w2c) or not len(points) == len(colours) == len(
        view_of_point
    ):
        message = f"{len(views)} views, {len(K)} K, {len(w2c)} w2c; {len(points)} points"
        raise ValueError(message)
    order = np.argsort(view_of_point, kind="stable")
    seen = order[np.searchsorted(view_of_point[order], 0) :]  # without the points of no view
    first = np.searchsorted(view_of_point[seen], np.arange(len(views) + 1))
    _write_cameras(folder / "cameras.bin", views, K)
    with open_whole(folder / "images.bin") as file:
        file.write(struct.pack("<Q", len(views)))
        quaternions = matrix_to_quaternion(w2c[:, :3, :3])
        for view, info in enumerate(views):
            mine = seen[first[view] : first[view + 1]]
            pixels = np.empty(len(mine), _PIXEL)
            pixels["xy"] = project(points[mine], K[view], w2c[view])[0]
            pixels["point"] = mine + 1
            file.write(struct.pack("<I", view + 1))
            file.write(struct.pack("<7d", *quaternions[view], *w2c[view, :3, 3]))
            file.write(struct.pack("<I", view + 1) + info.name.encode() + b"\0")
            file.write(struct.pack("<Q", len(mine)))
            file.write(pixels.tobytes())
    _write_points(folder / "points3D.bin", points, colours, view_of_point, (seen, first))


def _write_cameras(path: Path, views: Sequence[ColmapView], K: NDArray[np.floating]) -> None:
    with open_whole(path) as file:
        file.write(struct.pack("<Q", len(views)))
        for number, (view, k) in enumerate(zip(views, K, strict=True), 1):
            file.write(struct.pack("<IiQQ", number, _PINHOLE, view.width, view.height))
            file.write(struct.pack("<4d", k[0, 0], k[1, 1], k[0, 2], k[1, 2]))


def _write_points(
    path: Path,
    points: NDArray[np.floating],
    colours: NDArray[np.uint8],
    view_of_point: NDArray[np.integer],
    seen: tuple[NDArray[np.intp], NDArray[np.intp]],
) -> None:
    """Write all points; those of no view have no track."""
    order, first = seen
    records = _fill_points(_POINT, order, points, colours)
    records["length"] = 1
    records["image"] = view_of_point[order] + 1
    records["index"] = np.arange(len(order)) - first[view_of_point[order]]
    alone = _fill_points(_POINT_ALONE, np.flatnonzero(view_of_point < 0), points, colours)
    with open_whole(path) as file:
        file.write(struct.pack("<Q", len(records) + len(alone)))
        file.write(records.tobytes())
        file.write(alone.tobytes())


def _fill_points(
    kind: np.dtype,
    chosen: NDArray[np.intp],
    points: NDArray[np.floating],
    colours: NDArray[np.uint8],
) -> NDArray[np.void]:
    """Return records of some points, numbered from 1 in the order of the cloud."""
    records = np.zeros(len(chosen), kind)
    records["id"] = chosen + 1
    records["xyz"] = points[chosen]
    records["rgb"] = colours[chosen]
    return records
