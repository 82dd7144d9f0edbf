# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring pictures of any size to the grid of the network and remember how.

Runs in the engine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..contract.errors import EngineError, ErrorCode
from .resample import resize_by_area, resize_by_cubic

if TYPE_CHECKING:
    from collections.abc import Iterable

Array = np.ndarray

PATCH_SIZE = 14
RESIZE_METHODS = (
    "upper_bound_resize",
    "lower_bound_resize",
    "upper_bound_crop",
    "lower_bound_crop",
)
"""upper/lower: the longer/shorter side gets the resolution; resize/crop: how to reach 14s."""

_PICTURE_AXES = 3
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
"""Mean and spread of the colours (0 to 1) of the pictures that the networks were trained on."""


@dataclass(frozen=True)
class PreparedViews:
    """Pictures on one common grid.

    Attributes:
        tensor: (N, 3, H, W) float32, normalised for the network.
        images: (N, H, W, 3) uint8 sRGB, the same pixels.
        grid_from_original: (N, 3, 3) float64; takes continuous pixel coordinates of the original
            picture to those of the grid, so K_grid = grid_from_original @ K_original.
        cropped_share: (N,) float64, share 0..1 of each original picture that lies outside the
            grid. Not zero for crop methods and where the pictures of a set have different shapes.
    """

    tensor: Array
    images: Array
    grid_from_original: Array
    cropped_share: Array


def prepare_views(
    images: Iterable[Array], resolution: int = 504, method: str = "upper_bound_resize"
) -> PreparedViews:
    """Resize, cut to one common size and normalise.

    Where the resized pictures differ in size, all are cut around their centres to the smallest
    height and the smallest width.

    Args:
        images: each (h, w, 3) uint8 sRGB, any mix of sizes; taken one at a time.
        resolution: length in pixels of the side that `method` names.
        method: one of `RESIZE_METHODS`.

    Returns:
        Views whose sides are multiples of 14 and at least 14.

    Raises:
        EngineError: no image, an array of another shape, an unknown method or resolution.
    """
    _check_choices(resolution, method)
    resized, area = [], []
    for index, image in enumerate(images):
        _check_picture(index, image)
        resized.append(_resize(image, resolution, method))
        area.append(float(image.shape[0] * image.shape[1]))
    if not resized:
        raise EngineError(ErrorCode.INPUT_EMPTY, "There are no images.", "Add at least one.")
    height = min(image.shape[0] for image, _ in resized)
    width = min(image.shape[1] for image, _ in resized)
    cropped = [_crop(image, width, height, to_grid) for image, to_grid in resized]
    pixels = np.stack([image for image, _ in cropped])
    to_grid = np.stack([matrix for _, matrix in cropped])
    kept = width * height / (to_grid[:, 0, 0] * to_grid[:, 1, 1] * np.array(area))
    share = np.clip(1 - kept, 0, 1).round(9)  # without the rounding noise of a product
    return PreparedViews(normalise(pixels), pixels, to_grid, share)


def normalise(images: Array) -> Array:
    """Turn pictures into network input.

    Args:
        images: (N, H, W, 3) uint8 sRGB.

    Returns:
        (N, 3, H, W) float32, zero mean and unit spread over the training pictures.
    """
    views, height, width = images.shape[:3]
    result = np.empty((views, 3, height, width), np.float32)
    np.divide(np.moveaxis(images, -1, 1), np.float32(255), out=result)
    result -= MEAN[:, None, None]
    result /= STD[:, None, None]
    return result


def _check_picture(index: int, image: Array) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:  # noqa: PLR2004
        raise EngineError(
            ErrorCode.INPUT_UNREADABLE,
            f"Image {index} has shape {image.shape} and type {image.dtype}.",
            "Give 8-bit RGB pictures, one array (height, width, 3) each.",
        )


def _check_choices(resolution: int, method: str) -> None:
    if method not in RESIZE_METHODS:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"There is no resize method called {method!r}.",
            f"Use one of {', '.join(RESIZE_METHODS)}.",
        )
    if resolution < PATCH_SIZE:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"The resolution is {resolution} pixels.",
            f"Use at least {PATCH_SIZE}; 504 is the usual value.",
        )


def _resize(image: Array, resolution: int, method: str) -> tuple[Array, Array]:
    """Return the picture with sides that are multiples of 14 and its 3x3 matrix."""
    height, width = image.shape[:2]
    side = max(height, width) if method.startswith("upper") else min(height, width)
    to_grid = np.eye(3)
    if side != resolution:
        scale = resolution / side
        new = (max(1, round(width * scale)), max(1, round(height * scale)))
        image, to_grid = _resize_to(image, *new, to_grid, grows=scale > 1)
    height, width = image.shape[:2]
    if method.endswith("crop"):
        # a side below one patch cannot be cut: enlarge it to one patch instead
        new = (max(width, PATCH_SIZE), max(height, PATCH_SIZE))
    else:
        new = (_round_to_patch(width), _round_to_patch(height))
    if new != (width, height):
        grows = new[0] > width or new[1] > height
        image, to_grid = _resize_to(image, *new, to_grid, grows=grows)
    if method.endswith("crop"):
        new = tuple(side // PATCH_SIZE * PATCH_SIZE for side in new)
        image, to_grid = _crop(image, *new, to_grid)
    return image, to_grid


def _resize_to(
    image: Array, width: int, height: int, to_grid: Array, *, grows: bool
) -> tuple[Array, Array]:
    resize = resize_by_cubic if grows else resize_by_area
    scale = np.diag((width / image.shape[1], height / image.shape[0], 1.0))
    return resize(image, width, height), scale @ to_grid


def _round_to_patch(side: int) -> int:
    """Return the nearest multiple of 14, the larger of two equally near ones, at least 14."""
    return max(PATCH_SIZE, math.floor(side / PATCH_SIZE + 0.5) * PATCH_SIZE)


def _crop(image: Array, width: int, height: int, to_grid: Array) -> tuple[Array, Array]:
    """Cut a centred window; the offset is whole pixels."""
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    shift = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top], [0.0, 0.0, 1.0]])
    return image[top : top + height, left : left + width], shift @ to_grid
