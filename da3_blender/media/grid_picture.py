# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo on the grid of its depth map.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray


def reduce_to_grid(
    photo: NDArray[np.uint8], grid_from_photo: NDArray[np.floating], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Resample a photo to the grid of its depth map.

    Args:
        photo: (h, w, 3) or (h, w) uint8.
        grid_from_photo: (3, 3), a scale and a shift in pixels.
        size: width and height of the grid.

    Returns:
        (size[1], size[0], 3) or (size[1], size[0]) uint8, each pixel the mean of what it covers.
    """
    corners = np.linalg.inv(grid_from_photo) @ np.array([[0, size[0]], [0, size[1]], [1, 1.0]])
    box = corners[:2].T.ravel()
    height, width = photo.shape[:2]
    box = np.clip(box, 0, [width, height, width, height])
    picture = Image.fromarray(photo)
    return np.asarray(picture.resize(size, Image.Resampling.BOX, box=tuple(box)))
