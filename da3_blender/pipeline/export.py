# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results folders in the formats of other programs.

Runs in the engine.
"""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.errors import EngineError, ErrorCode
from ..contract.result_folder import ARRAYS, Result, translate_disk_errors
from ..exports.arrays_npz import write_npz
from ..exports.colmap_model import ColmapView, write_colmap_model
from ..splats.files import SplatFormat, write_splats
from ..splats.result_arrays import NETWORK_BORDER, load_splats

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def export_npz(result: Result, out: Path) -> Path:
    """Write all arrays of a result to one file; return its path.

    Raises:
        EngineError: RESULT_BROKEN, DISK_FULL or OUTPUT_UNWRITABLE.
    """
    path = out / "results.npz"
    write_npz(path, {name: result.load(name) for name in ARRAYS if result.has(name)})
    return path


def export_colmap(result: Result, out: Path) -> Path:
    """Write a COLMAP project: `images` and `sparse/0`; return its folder.

    Points of a sparse cloud come without tracks; COLMAP's own
    model of such a run is in `colmap/sparse` of the results folder, in COLMAP's world.

    Raises:
        EngineError: RESULT_BROKEN, SETTINGS_INVALID for a video, DISK_FULL, OUTPUT_UNWRITABLE.
    """
    photos = [result.photo_path(view) for view in result.views]
    if len(set(photos)) < len(photos):
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"The result in {result.folder} was made from a video, which COLMAP cannot read.",
            "Save the video as an image sequence and reconstruct that.",
        )
    names = [f"{number:06d}{path.suffix.lower()}" for number, path in enumerate(photos, 1)]
    with translate_disk_errors(out):
        (out / "images").mkdir(parents=True, exist_ok=True)
        for photo, name in zip(photos, names, strict=True):
            shutil.copyfile(photo, out / "images" / name)
    views = [
        ColmapView(name, view["width"], view["height"])
        for name, view in zip(names, result.views, strict=True)
    ]
    write_colmap_model(
        out / "sparse" / "0",
        views,
        (np.asarray(result.load("K")), np.asarray(result.load("w2c"))),
        result.load("points"),
        result.load("colours"),
        np.asarray(result.load("point_view")),
    )
    return out


def export_splats(result: Result, out: Path, kind: SplatFormat) -> Path:
    """Write the Gaussians of a result, without those at the edges of photos; return the path.

    Raises:
        EngineError: SETTINGS_INVALID, there are none; RESULT_BROKEN, DISK_FULL, OUTPUT_UNWRITABLE.
    """
    cloud = load_splats(result)
    if cloud is None:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"The result in {result.folder} has no splats.",
            "Run again with --make-splats and the model Giant or Nested.",
        )
    if cloud.border is not None:
        cloud = cloud.take(cloud.border >= NETWORK_BORDER)
    with translate_disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    path = out / f"splats{kind.value}"
    write_splats(path, cloud, kind)
    return path


EXPORTS: Final[dict[str, Callable[[Result, Path], Path]]] = {
    "npz": export_npz,
    "colmap": export_colmap,
    "ply": partial(export_splats, kind=SplatFormat.PLY),
    "spz": partial(export_splats, kind=SplatFormat.SPZ),
}
