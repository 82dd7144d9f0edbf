# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ST-maps of a lens: where each pixel comes from, to take distortion out and put it in again.

Runs in the engine. Red and green are s and t, shares of width and height of the plate's frame,
s to the right and t up; pixel centres lie at (index + 0.5) / size. That is what Nuke's STMap reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from .exr_writing import Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from ..contract.lens import Lens

NOWHERE: Final = -1.0  # s and t of pixels that nothing is seen for
_BORDER_STEP_PX: Final = 4
_MOST_OVERSCAN: Final = 1.0  # of the side, on each side; a lens that needs more folds back
_SAME_PX: Final = 1e-2  # there and back


def find_overscan(lenses: Iterable[Lens]) -> Window:
    """Return the window of undistorted pictures in which nothing of the plates is cut.

    Args:
        lenses: of plates of one size, at least one.

    Returns:
        In pixels of the frame, which it always holds; at most one more frame on each side.
    """
    found: Window | None = None
    for lens in lenses:
        window = _find_one(lens)
        found = window if found is None else found.join(window)
    if found is None:
        message = "no lens"
        raise ValueError(message)
    return found


def _find_one(lens: Lens) -> Window:
    width, height = lens.width, lens.height
    across = np.linspace(0, width, max(2, width // _BORDER_STEP_PX))
    down = np.linspace(0, height, max(2, height // _BORDER_STEP_PX))
    border = np.concatenate(
        [np.stack([across, np.full_like(across, y)], -1) for y in (0.0, float(height))]
        + [np.stack([np.full_like(down, x), down], -1) for x in (0.0, float(width))]
    )
    pinhole = lens.photo_to_pinhole(border)
    # what the lens does not see at all is replaced by what it sees at most
    limit = np.array([width, height]) * _MOST_OVERSCAN
    low = np.floor(np.clip(np.nanmin(pinhole, axis=0, initial=0.0), -limit, 0)).astype(int)
    high = np.ceil(
        np.clip(np.nanmax(pinhole, axis=0, initial=0.0), [width, height], [width, height] + limit)
    ).astype(int)
    return Window(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))


def make_undistort_map(lens: Lens, window: Window) -> NDArray[np.float32]:
    """Return where undistorted pixels come from in the plate.

    Args:
        lens: of the plate.
        window: of the undistorted picture.

    Returns:
        (window.height, window.width, 2) float32, s and t; NOWHERE where the lens sees nothing.
    """
    result = np.empty((window.height, window.width, 2), np.float32)
    for row in range(window.height):
        pinhole = _list_pixels(window, row)
        photo = lens.pinhole_to_photo(pinhole)
        photo[np.linalg.norm(lens.photo_to_pinhole(photo) - pinhole, axis=-1) > _SAME_PX] = np.nan
        result[row] = _to_shares(photo, lens)
    return result


def make_redistort_map(lens: Lens) -> NDArray[np.float32]:
    """Return where the plate's pixels come from in the undistorted picture.

    Args:
        lens: of the plate.

    Returns:
        (height, width, 2) float32, s and t; below 0 and above 1 in the overscan.
    """
    frame = Window(0, 0, lens.width, lens.height)
    result = np.empty((lens.height, lens.width, 2), np.float32)
    for row in range(lens.height):
        result[row] = _to_shares(lens.photo_to_pinhole(_list_pixels(frame, row)), lens)
    return result


def _list_pixels(window: Window, row: int) -> NDArray[np.float64]:
    """Return the (W, 2) pixel centres of one row of a window."""
    x = np.arange(window.width) + window.left + 0.5
    return np.stack([x, np.full(window.width, row + window.top + 0.5)], axis=-1)


def _to_shares(pixels: NDArray[np.float64], lens: Lens) -> NDArray[np.float64]:
    shares = pixels / [lens.width, lens.height]
    shares[..., 1] = 1 - shares[..., 1]
    return np.where(np.isfinite(pixels).all(-1, keepdims=True), shares, NOWHERE)
