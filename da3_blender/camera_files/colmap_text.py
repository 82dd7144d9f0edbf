# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""COLMAP's text models: cameras.txt, images.txt, points3D.txt.

Runs in both processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..contract.rotations import matrix_to_quaternion
from ..contract.whole_file import open_whole
from .colmap_lenses import make_lens, share_lenses
from .colmap_parts import ModelImage, ModelParts, ModelPoints, make_w2c
from .view_names import name_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..contract.camera_file import CameraFile
    from ..contract.lens import Lens
    from .tracks import Tracks


def read_text_model(folder: Path) -> ModelParts:
    """Read the three files; points3D.txt may be missing.

    Raises:
        EngineError: INPUT_UNREADABLE; a lens that we do not have.
        OSError: of reading.
        ValueError: the text is damaged.
        IndexError: a line is too short.
    """
    lenses: dict[int, Lens] = {}
    path = folder / "cameras.txt"
    for line in _list_lines(path):
        words = line.split()
        size = (int(words[2]), int(words[3]))
        lenses[int(words[0])] = make_lens(path, words[1], size, [float(w) for w in words[4:]])
    lines = _list_lines(folder / "images.txt", keep_empty=True)
    images = []
    for first, second in zip(lines[::2], [*lines[1::2], ""], strict=False):
        if not first.strip():
            continue
        words = first.split(maxsplit=9)
        numbers = [float(word) for word in words[1:8]]
        features = np.array(second.split(), np.float64).reshape(-1, 3)
        pose = make_w2c(numbers[:4], numbers[4:])
        images.append(ModelImage(int(words[0]), words[9], int(words[8]), pose, features[:, :2]))
    path = folder / "points3D.txt"
    return ModelParts(lenses, images, _read_points(path) if path.is_file() else None)


def _list_lines(path: Path, *, keep_empty: bool = False) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#") and (keep_empty or line.strip())]


def _read_points(path: Path) -> ModelPoints:
    rows = [line.split() for line in _list_lines(path)]
    head = np.array([row[1:8] for row in rows], np.float64).reshape(-1, 7)
    tracks = [np.array(row[8:], np.int64).reshape(-1, 2) for row in rows]
    elements = np.concatenate([np.zeros((0, 2), np.int64), *tracks])
    lengths = [len(track) for track in tracks]
    return ModelPoints(
        head[:, :3],
        head[:, 3:6].astype(np.uint8),
        head[:, 6],
        elements[:, 0],
        elements[:, 1],
        np.repeat(np.arange(len(rows)), lengths),
    )


def write_text_model(folder: Path, cameras: CameraFile, tracks: Tracks) -> None:
    """Write the three files.

    Args:
        folder: gets them.
        cameras: views are numbered from 1 in their order.
        tracks: sorted by point.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    lenses, lens_of_view = share_lenses(cameras)
    _write(folder / "cameras.txt", _format_lenses(lenses))
    _write(folder / "images.txt", _format_images(cameras, lens_of_view, tracks))
    _write(folder / "points3D.txt", _format_points(tracks, len(cameras.views)))


def _write(path: Path, lines: Iterator[str]) -> None:
    with open_whole(path) as file:
        for line in lines:
            file.write(line.encode() + b"\n")


def _format_lenses(lenses: Sequence[Lens]) -> Iterator[str]:
    yield "# Camera list with one line of data per camera:"
    yield "#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]"
    yield f"# Number of cameras: {len(lenses)}"
    for number, lens in enumerate(lenses, 1):
        params = " ".join(repr(float(value)) for value in lens.params)
        yield f"{number} {lens.model} {lens.width} {lens.height} {params}"


def _format_images(
    cameras: CameraFile, lens_of_view: Sequence[int], tracks: Tracks
) -> Iterator[str]:
    yield "# Image list with two lines of data per image:"
    yield "#   IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME"
    yield "#   POINTS2D[] as (X, Y, POINT3D_ID)"
    yield f"# Number of images: {len(cameras.views)}"
    quaternions = matrix_to_quaternion(cameras.w2c[:, :3, :3])
    order = np.argsort(tracks.view, kind="stable")
    ends = np.searchsorted(tracks.view[order], np.arange(len(cameras.views) + 1))
    for index, view in enumerate(cameras.views):
        numbers = [*quaternions[index].tolist(), *cameras.w2c[index, :3, 3].tolist()]
        pose = " ".join(repr(value) for value in numbers)
        yield f"{index + 1} {pose} {lens_of_view[index] + 1} {name_view(view)}"
        mine = order[ends[index] : ends[index + 1]]
        yield " ".join(
            f"{x!r} {y!r} {track + 1}"
            for (x, y), track in zip(
                tracks.px[mine].tolist(), tracks.track[mine].tolist(), strict=True
            )
        )


def _format_points(tracks: Tracks, count: int) -> Iterator[str]:
    yield "# 3D point list with one line of data per point:"
    yield "#   POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as (IMAGE_ID, POINT2D_IDX)"
    yield f"# Number of points: {len(tracks.points)}"
    places = tracks.index_in_views(count)
    ends = np.searchsorted(tracks.track, np.arange(len(tracks.points) + 1))
    views, features = (tracks.view + 1).tolist(), places.tolist()
    rows = zip(
        tracks.points.tolist(), tracks.colours.tolist(), tracks.error_px.tolist(), strict=True
    )
    for index, (position, colour, error) in enumerate(rows):
        head = " ".join(repr(value) for value in (*position, *colour, error))
        seen = "".join(f" {views[k]} {features[k]}" for k in range(ends[index], ends[index + 1]))
        yield f"{index + 1} {head}{seen}"
