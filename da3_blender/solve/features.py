# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SIFT features of one photo.

Runs in COLMAP's child process of the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pycolmap

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# SIFT's first octave doubles the picture. Above this many pixels per side that costs four times
# the time for features that are mostly noise of the sensor.
_DOUBLE_UP_TO_PX: Final = 1600
# ... but a large photo with few features needs them all.
_FEW_FEATURES: Final = 1500
# Least contrast of a feature, COLMAP's default and one for pictures without much contrast.
_USUAL_PEAKS: Final = 0.02 / 3
_WEAK_PEAKS: Final = 0.002
_GREY: Final = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as in COLMAP


def extract_features(
    image: NDArray[np.uint8],
    size: tuple[int, int],
    max_features: int,
    *,
    is_sensitive: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8]]:
    """Find SIFT features.

    Args:
        image: (h, w, 3) uint8 sRGB, perhaps reduced.
        size: width and height of the original photo, pixels.
        max_features: positions to keep, the coarse ones first; a position with two directions
            makes two features.
        is_sensitive: also take weak features where there are few, as on plain walls.

    Returns:
        keypoints: (M, 4) float32: x, y, scale in pixels of the original photo (centre of the
            first pixel at 0.5, 0.5) and direction in radians.
        descriptors: (M, 128) uint8.
        colours: (M, 3) uint8 sRGB at the keypoints.
    """
    grey = (image.astype(np.float32) @ _GREY + np.float32(0.5)).astype(np.uint8)
    is_large = max(grey.shape) > _DOUBLE_UP_TO_PX
    found, descriptors = _run_sift(grey, max_features, 0 if is_large else -1)
    if is_large and len(found) < min(_FEW_FEATURES, max_features):
        found, descriptors = _run_sift(grey, max_features, -1)
    if is_sensitive and len(found) < min(_FEW_FEATURES, max_features):
        found, descriptors = _run_sift(grey, max_features, -1, _WEAK_PEAKS)
    height, width = grey.shape
    column = np.clip(found[:, 0].astype(np.int64), 0, width - 1)
    row = np.clip(found[:, 1].astype(np.int64), 0, height - 1)
    ratio = np.array([size[0] / width, size[1] / height])
    keypoints = found.copy()
    keypoints[:, :2] *= ratio
    keypoints[:, 2] *= np.sqrt(ratio.prod())
    return keypoints, descriptors, image[row, column]


def save_features(
    path: Path, features: tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8]]
) -> None:
    """Write the three arrays of `extract_features` to one file."""
    keypoints, descriptors, colours = features
    np.savez(path, keypoints=keypoints, descriptors=descriptors, colours=colours)


def _run_sift(
    grey: NDArray[np.uint8], max_features: int, first_octave: int, weakest: float = _USUAL_PEAKS
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    options = pycolmap.FeatureExtractionOptions()
    options.use_gpu = False
    options.sift.max_num_features = max_features
    options.sift.first_octave = first_octave
    options.sift.peak_threshold = weakest
    extractor = pycolmap.FeatureExtractor.create(options, pycolmap.Device.cpu)
    keypoints, descriptors = extractor.extract_from_uint8_array(grey)
    if not len(keypoints):
        return np.empty((0, 4), np.float32), np.empty((0, 128), np.uint8)
    return pycolmap.keypoints_to_matrix(keypoints), np.array(descriptors.data)
