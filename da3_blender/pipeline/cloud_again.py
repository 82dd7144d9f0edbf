# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud from depth maps that exist, when their cameras or the limits have changed.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..media.grid_picture import reduce_to_grid
from .fusion import CONTRADICTED, CloudMaker, FusionLimits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from ..contract.progress import Progress
    from ..contract.settings import RunSettings
    from .outcome import Outcome

_PHOTOS_SHARE: Final = 0.6  # of the time


def fuse_again(
    outcome: Outcome,
    photos: Iterable[NDArray[np.uint8]],
    widths: Sequence[int],
    settings: RunSettings,
    progress: Progress,
) -> Outcome:
    """Replace the cloud of an outcome by one from its depth maps.

    Args:
        outcome: with depth maps.
        photos: the pinhole picture of each map, perhaps reduced, (h, w, 3) uint8 sRGB.
        widths: of the whole photo of each map, pixels.
        settings: those of the cloud are read.
        progress: within its stage.

    Raises:
        ValueError: there are no depth maps.
    """
    dense = outcome.dense
    if dense is None:
        message = "a cloud is made of depth maps"
        raise ValueError(message)
    count, height, width = dense.depth.shape
    images = np.empty((count, height, width, 3), np.uint8)
    for row, photo in enumerate(photos):
        progress.report(_PHOTOS_SHARE * row / count, f"{row + 1} of {count} photos")
        shrink = photo.shape[1] / widths[row]
        grid = dense.grid_from_photo[row] @ np.diag([1 / shrink, 1 / shrink, 1])
        images[row] = reduce_to_grid(photo, grid, (width, height))
    visible = dense.depth
    if dense.sky is not None:
        visible = np.where(dense.sky, np.float32(0), visible)
    positions = dense.list_cameras()
    K, w2c = np.asarray(outcome.K)[positions], np.asarray(outcome.w2c)[positions]
    cameras = (dense.grid_from_photo @ K, w2c)
    maker = CloudMaker(cameras, (height, width), FusionLimits.of(settings))
    maker.add(np.arange(count), visible, dense.confidence, images)
    cloud = maker.finish(
        lambda share: progress.report(_PHOTOS_SHARE + share * (1 - _PHOTOS_SHARE), "points")
    )
    if maker.is_contradictory:
        progress.note(CONTRADICTED)
    # a point of several views says -1
    place = np.append(positions, -1).astype(np.int32)
    return outcome.replace(cloud=cloud._replace(view=place[cloud.view]))
