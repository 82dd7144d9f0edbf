# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results folders in the formats of other programs.

Runs in the engine.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from ..camera_files.colmap import write_colmap
from ..camera_files.result_cameras import drop_lenses, load_cameras
from ..camera_files.tracks import load_tracks
from ..contract.errors import EngineError, ErrorCode
from ..contract.result_folder import ARRAYS, Result, translate_disk_errors
from ..exports.arrays_npz import write_npz
from ..exports.colmap_model import observe_once, undistort_tracks
from ..splats.files import SplatFormat, write_splats
from ..splats.result_arrays import NETWORK_BORDER, load_splats
from .export_layers import export_layers
from .export_lens import export_st_maps, export_undistorted
from .export_progress import Export, make_quick
from .export_report import export_report


def export_npz(result: Result, out: Path) -> Path:
    """Write all arrays of a result to one file; return its path.

    Raises:
        EngineError: RESULT_BROKEN, DISK_FULL or OUTPUT_UNWRITABLE.
    """
    path = out / "results.npz"
    write_npz(path, {name: result.load(name) for name in ARRAYS if result.has(name)})
    return path


def export_colmap(result: Result, out: Path, *, is_text: bool = False) -> Path:
    """Write a COLMAP project: `images` and `sparse/0`; return its folder.

    A refined result gives its lenses and its true tracks, with the pictures as they are. Where
    Blender shows converted pictures, or where there are no tracks, the pictures are the undistorted
    ones and the lenses pinholes; a cloud without tracks is seen once each. COLMAP's own model of a
    run of COLMAP is in `colmap/sparse` of the results folder, in COLMAP's world.

    Raises:
        EngineError: RESULT_BROKEN, SETTINGS_INVALID for a video, DISK_FULL, OUTPUT_UNWRITABLE.
    """
    cameras, tracks = load_cameras(result), load_tracks(result)
    photos = [result.photo_path(view) for view in result.views]
    originals = [Path(view.get("path") or "") for view in result.views]
    if tracks is not None and _are_pictures(result, originals):
        photos = originals
    elif tracks is not None:
        tracks, cameras = undistort_tracks(tracks, cameras), drop_lenses(cameras)
    else:
        cameras = drop_lenses(cameras)
        tracks = observe_once(
            cameras,
            np.asarray(result.load("points")),
            np.asarray(result.load("colours")),
            np.asarray(result.load("point_view")),
        )
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
    views = tuple(replace(view, name=name) for view, name in zip(cameras.views, names, strict=True))
    write_colmap(out / "sparse" / "0", replace(cameras, views=views), tracks, is_text=is_text)
    return out


def _are_pictures(result: Result, originals: list[Path]) -> bool:
    """Tell whether COLMAP can read the original photos as they are."""
    is_one_each = len(set(originals)) == len(originals)
    is_turned = any(view.get("needs_copy") for view in result.views)
    return is_one_each and not is_turned and all(path.is_file() for path in originals)


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


EXPORTS: Final[dict[str, Export]] = {
    "npz": make_quick(export_npz),
    "colmap": make_quick(export_colmap),
    "report": export_report,
    "layers": export_layers,
    "layers-undistorted": partial(export_layers, is_undistorted=True),
    "st-maps": export_st_maps,
    "undistorted": export_undistorted,
    "undistorted-overscan": partial(export_undistorted, has_overscan=True),
    "colmap-text": make_quick(partial(export_colmap, is_text=True)),
    "ply": make_quick(partial(export_splats, kind=SplatFormat.PLY)),
    "spz": make_quick(partial(export_splats, kind=SplatFormat.SPZ)),
}
