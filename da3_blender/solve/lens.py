# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lenses with distortion, and the photo that a camera without distortion would have taken.

Runs in the engine.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A displacement that nobody sees behind a Blender camera, in pixels.
_HARMLESS_PX: Final = 0.5
# COLMAP model -> (index of fx, fy, cx, cy; indices of k1, k2, p1, p2 where the model has them)
_LAYOUTS: Final[dict[str, tuple[tuple[int, ...], tuple[int, ...]]]] = {
    "SIMPLE_PINHOLE": ((0, 0, 1, 2), ()),
    "PINHOLE": ((0, 1, 2, 3), ()),
    "SIMPLE_RADIAL": ((0, 0, 1, 2), (3,)),
    "RADIAL": ((0, 0, 1, 2), (3, 4)),
    "OPENCV": ((0, 1, 2, 3), (4, 5, 6, 7)),
}
_FRAME_SAMPLES: Final = 65  # per side, edges included: distortion is smooth
_BAND_PIXELS: Final = 1 << 20  # pixels undistorted at once, to bound the memory


@dataclass(frozen=True)
class Lens:
    """One COLMAP camera: how a group of photos maps directions to pixels.

    Args:
        model: COLMAP's name, one of `contract.settings.LENS_MODELS`.
        params: in COLMAP's order, pixels of the original photo.
        width: pixels of the original photo.
        height: pixels.

    Raises:
        ValueError: the model is unknown or has another number of parameters.

    Source of the formulas: COLMAP, src/colmap/sensor/models.h.
    """

    model: str
    params: tuple[float, ...]
    width: int
    height: int

    def __post_init__(self) -> None:
        """Check that model and parameters fit."""
        layout = _LAYOUTS.get(self.model)
        if layout is None or len(self.params) != max(layout[0] + layout[1]) + 1:
            message = f"no lens {self.model} with {len(self.params)} parameters"
            raise ValueError(message)

    @property
    def K(self) -> NDArray[np.float64]:  # noqa: N802 - the name of intrinsics everywhere
        """(3, 3) float64, pixels of the original photo; the pinhole part of the lens."""
        fx, fy, cx, cy = (self.params[index] for index in _LAYOUTS[self.model][0])
        return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])

    @property
    def distortion_px(self) -> float:
        """Largest distance, over the frame, between a pixel of the pinhole and of the photo."""
        if not any(self._distortion):
            return 0.0
        x, y = np.meshgrid(
            np.linspace(0, self.width, _FRAME_SAMPLES), np.linspace(0, self.height, _FRAME_SAMPLES)
        )
        pinhole = np.stack([x, y], axis=-1)
        return float(np.linalg.norm(self.pinhole_to_photo(pinhole) - pinhole, axis=-1).max())

    @property
    def needs_undistortion(self) -> bool:
        """Whether a photo must be undistorted to fit a camera without distortion."""
        return self.distortion_px > _HARMLESS_PX

    def pinhole_to_photo(self, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
        """Find where the photo shows what a pinhole with the same K shows at some pixels.

        Args:
            pixels: (..., 2) x and y in the pinhole picture, pixels.

        Returns:
            (..., 2) float64, pixels of the photo; beyond the radius where the distortion
            folds back, the value at that radius.
        """
        K = self.K
        k1, k2, p1, p2 = self._distortion
        x = (np.asarray(pixels[..., 0], np.float64) - K[0, 2]) / K[0, 0]
        y = (np.asarray(pixels[..., 1], np.float64) - K[1, 2]) / K[1, 1]
        square = x * x + y * y
        limit = _find_fold(k1, k2)
        if np.isfinite(limit):
            shrink = np.sqrt(np.minimum(1.0, limit / np.maximum(square, limit)))
            x, y, square = x * shrink, y * shrink, np.minimum(square, limit)
        radial = 1 + square * (k1 + square * k2)
        photo_x = x * radial + 2 * p1 * x * y + p2 * (square + 2 * x * x)
        photo_y = y * radial + 2 * p2 * x * y + p1 * (square + 2 * y * y)
        return np.stack([photo_x * K[0, 0] + K[0, 2], photo_y * K[1, 1] + K[1, 2]], axis=-1)

    @property
    def _distortion(self) -> tuple[float, float, float, float]:
        found = [self.params[index] for index in _LAYOUTS[self.model][1]]
        k1, k2, p1, p2 = found + [0.0] * (4 - len(found))
        return k1, k2, p1, p2

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a manifest, the largest displacement included."""
        return asdict(self) | {"params": list(self.params), "distortion_px": self.distortion_px}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Lens:
        """Build the lens from `to_json`'s dictionary."""
        return cls(
            str(data["model"]),
            tuple(float(value) for value in data["params"]),
            int(data["width"]),
            int(data["height"]),
        )


def undistort_photo(image: NDArray[np.uint8], lens: Lens) -> NDArray[np.uint8]:
    """Make the photo that a pinhole camera with `lens.K` would have taken.

    Args:
        image: (H, W, 3) uint8, the photo, of the lens's size.
        lens: of that photo.

    Returns:
        (H, W, 3) uint8, same size; border pixels are repeated where the photo has none.

    Raises:
        ValueError: the sizes differ.
    """
    if image.shape != (lens.height, lens.width, 3):
        message = f"a photo of shape {image.shape} for a lens of {lens.width} x {lens.height}"
        raise ValueError(message)
    result = np.empty_like(image)
    rows = max(1, _BAND_PIXELS // lens.width)
    columns = np.arange(lens.width) + 0.5
    for top in range(0, lens.height, rows):
        band = np.arange(top, min(top + rows, lens.height)) + 0.5
        pinhole = np.stack(np.meshgrid(columns, band), axis=-1)  # (h, W, 2), pixel centres
        result[top : top + len(band)] = _sample(image, lens.pinhole_to_photo(pinhole))
    return result


def _find_fold(k1: float, k2: float) -> float:
    """Return the squared radius where r (1 + k1 r^2 + k2 r^4) stops growing, or infinity."""
    # Its slope is 1 + 3 k1 s + 5 k2 s^2 with s = r^2.
    roots = np.roots([5 * k2, 3 * k1, 1.0])  # np.roots drops leading zeros
    positive = [root.real for root in roots if abs(root.imag) < 1e-12 and root.real > 0]  # noqa: PLR2004
    return min(positive, default=np.inf)


def _sample(image: NDArray[np.uint8], at: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Read an image between its pixels, bilinear, clamped at its border.

    Args:
        image: (H, W, 3) uint8.
        at: (h, w, 2) x and y, pixels; the centre of the first pixel is (0.5, 0.5).

    Returns:
        (h, w, 3) uint8.
    """
    height, width, _ = image.shape
    x = np.clip(at[..., 0] - 0.5, 0, width - 1).astype(np.float32)
    y = np.clip(at[..., 1] - 0.5, 0, height - 1).astype(np.float32)
    left = np.minimum(x.astype(np.int32), max(width - 2, 0))
    top = np.minimum(y.astype(np.int32), max(height - 2, 0))
    right_share = (x - left)[..., None]
    bottom_share = (y - top)[..., None]
    flat = image.reshape(-1, 3)
    corner = top * width + left
    right = 1 if width > 1 else 0
    below = width if height > 1 else 0
    upper = _blend(flat[corner], flat[corner + right], right_share)
    lower = _blend(flat[corner + below], flat[corner + below + right], right_share)
    return (_blend(upper, lower, bottom_share) + np.float32(0.5)).astype(np.uint8)


def _blend(
    first: NDArray[Any], second: NDArray[Any], share: NDArray[np.float32]
) -> NDArray[np.float32]:
    start = first.astype(np.float32)
    return start + (second.astype(np.float32) - start) * share
