# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""COLMAP's models with lenses and tracks, binary and text.

Runs in both processes. Format: COLMAP's documentation, "Output Format"; OpenCV axes, scalar-first
quaternions, centre of the first pixel at (0.5, 0.5). Rigs and frames of COLMAP 4 are not needed:
their poses also stand in the images.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..contract.camera_file import CameraFile, CameraView
from .colmap_binary import read_binary_model, write_binary_model
from .colmap_text import read_text_model, write_text_model
from .frame_names import find_frames
from .refusals import refuse, report_missing
from .tracks import Tracks

if TYPE_CHECKING:
    from pathlib import Path

    from .colmap_parts import ModelParts


class ColmapModel(NamedTuple):
    """Cameras of a model and its points; None where it has none."""

    cameras: CameraFile
    tracks: Tracks | None


def find_model(folder: Path) -> Path | None:
    """Return the folder of a COLMAP model: this one, or the usual one below it."""
    for place in (folder, folder / "sparse" / "0", folder / "sparse", folder / "0"):
        if any((place / f"images.{kind}").is_file() for kind in ("bin", "txt")):
            return place
    return None


def read_colmap(folder: Path) -> ColmapModel:
    """Read a model, binary where it has both; images keep the order of their numbers.

    Raises:
        EngineError: INPUT_MISSING, INPUT_UNREADABLE with the path.
    """
    kind = "bin" if (folder / "images.bin").is_file() else "txt"
    for name in ("cameras", "images"):
        path = folder / f"{name}.{kind}"
        if not path.is_file():
            raise report_missing(path)
    read = read_binary_model if kind == "bin" else read_text_model
    try:
        parts = read(folder)
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise refuse(
            folder / f"images.{kind}",
            f"the model is damaged ({error})",
            "Export the model again with COLMAP's model_converter.",
        ) from error
    if not parts.images:
        raise refuse(folder / f"images.{kind}", "it has no images", "Choose another model.")
    return _assemble(folder, parts)


def write_colmap(
    folder: Path, cameras: CameraFile, tracks: Tracks | None = None, *, is_text: bool = False
) -> None:
    """Write a model with one COLMAP camera per lens.

    Args:
        folder: gets the three files, such as `sparse/0`.
        cameras: to write; views without a name are called after their frame.
        tracks: points in the world of the cameras and who saw them, or None.
        is_text: write .txt in place of .bin.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    if tracks is None:
        none = np.zeros(0, np.intp)
        tracks = Tracks(
            np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros(0), none, none, np.zeros((0, 2))
        )
    write = write_text_model if is_text else write_binary_model
    write(folder, cameras, tracks.sort())


def _assemble(folder: Path, parts: ModelParts) -> ColmapModel:
    """Turn COLMAP's numbers into places in lists."""
    images = sorted(parts.images, key=lambda image: image.number)
    unknown = next((image for image in images if image.camera not in parts.lenses), None)
    if unknown is not None:
        raise refuse(folder, f"{unknown.name} has the camera {unknown.camera}, which is not there")
    lens_place = {number: place for place, number in enumerate(sorted(parts.lenses))}
    lenses = tuple(parts.lenses[number] for number in sorted(parts.lenses))
    frames = find_frames([image.name for image in images])
    views = tuple(
        CameraView(
            image.name,
            frame,
            parts.lenses[image.camera].width,
            parts.lenses[image.camera].height,
            lens_place[image.camera],
        )
        for image, frame in zip(images, frames, strict=True)
    )
    cameras = CameraFile(
        views,
        np.stack([image.w2c for image in images]),
        np.stack([parts.lenses[image.camera].K for image in images]),
        lenses,
    )
    points = parts.points
    if points is None or not len(points.xyz):
        return ColmapModel(cameras, None)
    place = {image.number: index for index, image in enumerate(images)}
    view = np.array([place.get(number, -1) for number in points.image.tolist()], np.intp)
    px = np.full((len(view), 2), np.nan)
    for index, image in enumerate(images):
        mine = np.flatnonzero(view == index)
        at = points.feature[mine]
        if len(at) and at.max() >= len(image.px):
            raise refuse(folder, f"a point is seen in {image.name} where that has no feature")
        px[mine] = image.px[at]
    known = view >= 0
    tracks = Tracks(
        points.xyz, points.rgb, points.error, view[known], points.track[known], px[known]
    )
    return ColmapModel(cameras, tracks)
