# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""COLMAP's database: lenses, photos and their features.

Runs in COLMAP's child process of the engine. Ids in the database count from 1: view i is image,
frame i + 1; lens i is camera and rig i + 1. Image names are the view numbers, because file names
may repeat in different folders and COLMAP orders a sequence by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pycolmap

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .work_folder import WorkFolder


def write_database(
    folder: WorkFolder,
    lens_model: str,
    groups: Sequence[dict[str, Any]],
    group_of_view: Sequence[int],
    views: Sequence[int] | None = None,
) -> None:
    """Write a new database; an older one is replaced.

    Args:
        folder: holds the features of all views.
        lens_model: COLMAP camera model of all lenses.
        groups: `LensGroup`s as dictionaries.
        group_of_view: index into `groups` for each view.
        views: indices of the views that take part, ascending; None for all.
    """
    folder.database.unlink(missing_ok=True)
    database = pycolmap.Database.open(folder.database)
    try:
        for lens, group in enumerate(groups):
            _write_lens(database, lens_model, lens + 1, group)
        numbers = range(len(group_of_view)) if views is None else views
        for view, lens in zip(numbers, group_of_view, strict=True):
            _write_view(database, view + 1, lens + 1, folder.features(view))
    finally:
        database.close()


def _write_lens(
    database: pycolmap.Database, lens_model: str, number: int, group: dict[str, Any]
) -> None:
    camera = pycolmap.Camera.create_from_model_name(
        number, lens_model, group["focal_px"], group["width"], group["height"]
    )
    camera.has_prior_focal_length = group["has_prior"]
    database.write_camera(camera, use_camera_id=True)
    rig = pycolmap.Rig(rig_id=number)
    rig.add_ref_sensor(camera.sensor_id)
    database.write_rig(rig, use_rig_id=True)


def _write_view(database: pycolmap.Database, number: int, camera_id: int, features: Path) -> None:
    image = pycolmap.Image(name=f"{number:06d}", camera_id=camera_id, image_id=number)
    database.write_image(image, use_image_id=True)
    frame = pycolmap.Frame(frame_id=number, rig_id=camera_id)
    frame.add_data_id(image.data_id)
    database.write_frame(frame, use_frame_id=True)
    with np.load(features) as arrays:
        database.write_keypoints(number, arrays["keypoints"])
        descriptors = pycolmap.FeatureDescriptors(
            pycolmap.FeatureExtractorType.SIFT, arrays["descriptors"]
        )
    database.write_descriptors(number, descriptors)
