# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lenses with distortion: how directions and pixels of a photo belong together.

Runs in both processes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A displacement that nobody sees behind a Blender camera, in pixels.
_HARMLESS_PX: Final = 0.5
_FRAME_SAMPLES: Final = 65  # per side, edges included: distortion is smooth
_MOST_STEPS: Final = 30  # of Newton's method; five are usual
_EXACT: Final = 1e-12  # of a coordinate in focal lengths


class _Layout(NamedTuple):
    """Where a model keeps what: indices of fx, fy, cx, cy, and of its distortion."""

    pinhole: tuple[int, int, int, int]
    polynomial: tuple[int, ...] = ()
    """k1, k2, p1, p2, as many as the model has."""
    division: int | None = None


_LAYOUTS: Final[dict[str, _Layout]] = {
    "SIMPLE_PINHOLE": _Layout((0, 0, 1, 2)),
    "PINHOLE": _Layout((0, 1, 2, 3)),
    "SIMPLE_RADIAL": _Layout((0, 0, 1, 2), (3,)),
    "RADIAL": _Layout((0, 0, 1, 2), (3, 4)),
    "OPENCV": _Layout((0, 1, 2, 3), (4, 5, 6, 7)),
    "SIMPLE_DIVISION": _Layout((0, 0, 1, 2), division=3),
    "DIVISION": _Layout((0, 1, 2, 3), division=4),
}


@dataclass(frozen=True)
class Lens:
    """One COLMAP camera: how a group of photos maps directions to pixels.

    Args:
        model: COLMAP's name, one of `contract.settings.LENS_MODELS`, or DIVISION.
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
        if layout is None or len(self.params) != _count_params(layout):
            message = f"no lens {self.model} with {len(self.params)} parameters"
            raise ValueError(message)

    @property
    def K(self) -> NDArray[np.float64]:  # noqa: N802 - the name of intrinsics everywhere
        """(3, 3) float64, pixels of the original photo; the pinhole part of the lens."""
        fx, fy, cx, cy = (self.params[index] for index in _LAYOUTS[self.model].pinhole)
        return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])

    @property
    def polynomial(self) -> tuple[float, float, float, float]:
        """k1, k2, p1, p2 of OpenCV's model in focal lengths; zeros where the model has none."""
        found = [self.params[index] for index in _LAYOUTS[self.model].polynomial]
        k1, k2, p1, p2 = found + [0.0] * (4 - len(found))
        return k1, k2, p1, p2

    @property
    def division(self) -> float:
        """Return k of x_pinhole = x_photo / (1 + k r_photo^2); 0 where the model has none."""
        index = _LAYOUTS[self.model].division
        return 0.0 if index is None else self.params[index]

    @property
    def distortion_px(self) -> float:
        """Largest distance, over the frame, between a pixel of the pinhole and of the photo."""
        if not any(self.polynomial) and not self.division:
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

    def with_focal(self, focal_px: float) -> Lens:
        """Return the lens with another focal length in x; y follows in proportion."""
        fx_index, fy_index, _, _ = _LAYOUTS[self.model].pinhole
        params = list(self.params)
        params[fy_index] *= focal_px / self.params[fx_index]
        params[fx_index] = focal_px
        return replace(self, params=tuple(params))

    def list_pixel_params(self) -> list[int]:
        """Return which of the parameters are in pixels: focal lengths and principal point."""
        return sorted(set(_LAYOUTS[self.model].pinhole))

    def pinhole_to_photo(self, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
        """Find where the photo shows what a pinhole with the same K shows at some pixels.

        Args:
            pixels: (..., 2) x and y in the pinhole picture, pixels.

        Returns:
            (..., 2) float64, pixels of the photo; beyond the radius where the distortion
            folds back, the value at that radius.
        """
        x, y = self._to_focal_lengths(pixels)
        square = x * x + y * y
        limit = self._find_fold()
        if np.isfinite(limit):
            shrink = np.sqrt(np.minimum(1.0, limit / np.maximum(square, limit)))
            x, y, square = x * shrink, y * shrink, np.minimum(square, limit)
        if self.division:
            factor = 2 / (1 + np.sqrt(np.maximum(1 - 4 * self.division * square, 0.0)))
            return self._to_pixels(x * factor, y * factor)
        k1, k2, p1, p2 = self.polynomial
        radial = 1 + square * (k1 + square * k2)
        photo_x = x * radial + 2 * p1 * x * y + p2 * (square + 2 * x * x)
        photo_y = y * radial + 2 * p2 * x * y + p1 * (square + 2 * y * y)
        return self._to_pixels(photo_x, photo_y)

    def photo_to_pinhole(self, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
        """Find where a pinhole with the same K shows what the photo shows at some pixels.

        Args:
            pixels: (..., 2) x and y in the photo, pixels.

        Returns:
            (..., 2) float64, pixels of the pinhole picture; NaN where the lens sees nothing,
            beyond the radius where its distortion folds back.
        """
        x, y = self._to_focal_lengths(pixels)
        if self.division:
            factor = 1 + self.division * (x * x + y * y)
            factor = np.where(factor > 0, factor, np.nan)
            return self._to_pixels(x / factor, y / factor)
        if not any(self.polynomial):
            return self._to_pixels(x, y)
        u, v = self._invert_polynomial(x, y)
        seen = u * u + v * v < self._find_fold()
        return self._to_pixels(np.where(seen, u, np.nan), np.where(seen, v, np.nan))

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

    def _to_focal_lengths(
        self, pixels: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        fx, fy, cx, cy = (self.params[index] for index in _LAYOUTS[self.model].pinhole)
        x = (np.asarray(pixels[..., 0], np.float64) - cx) / fx
        return x, (np.asarray(pixels[..., 1], np.float64) - cy) / fy

    def _to_pixels(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        fx, fy, cx, cy = (self.params[index] for index in _LAYOUTS[self.model].pinhole)
        return np.stack([x * fx + cx, y * fy + cy], axis=-1)

    def _find_fold(self) -> float:
        """Return the squared radius of the pinhole where that of the photo stops growing."""
        if self.division:
            return 1 / (4 * self.division) if self.division > 0 else np.inf
        k1, k2, _, _ = self.polynomial
        # The slope of r (1 + k1 r^2 + k2 r^4) is 1 + 3 k1 s + 5 k2 s^2 with s = r^2.
        roots = np.roots([5 * k2, 3 * k1, 1.0])  # np.roots drops leading zeros
        real = [root.real for root in roots if abs(root.imag) < _EXACT and root.real > 0]
        return min(real, default=np.inf)

    def _invert_polynomial(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Solve for the pinhole's coordinates in focal lengths, by Newton's method."""
        k1, k2, p1, p2 = self.polynomial
        limit = self._find_fold()
        u, v = x.copy(), y.copy()
        for _ in range(_MOST_STEPS):
            square = u * u + v * v
            if np.isfinite(limit):  # beyond the fold the method would run away
                shrink = np.sqrt(np.minimum(1.0, limit / np.maximum(square, limit)))
                u, v = u * shrink, v * shrink
                square = np.minimum(square, limit)
            radial = 1 + square * (k1 + square * k2)
            slope = 2 * (k1 + 2 * k2 * square)  # d radial / d square * 2
            error_u = u * radial + 2 * p1 * u * v + p2 * (square + 2 * u * u) - x
            error_v = v * radial + 2 * p2 * u * v + p1 * (square + 2 * v * v) - y
            uu = radial + slope * u * u + 2 * p1 * v + 6 * p2 * u
            uv = slope * u * v + 2 * p1 * u + 2 * p2 * v
            vv = radial + slope * v * v + 2 * p2 * u + 6 * p1 * v
            determinant = uu * vv - uv * uv
            determinant = np.where(np.abs(determinant) < _EXACT, 1.0, determinant)
            step_u = (vv * error_u - uv * error_v) / determinant
            step_v = (uu * error_v - uv * error_u) / determinant
            u, v = u - step_u, v - step_v
            if np.maximum(np.abs(step_u), np.abs(step_v)).max(initial=0.0) < _EXACT:
                break
        return u, v


def _count_params(layout: _Layout) -> int:
    last = (*layout.pinhole, *layout.polynomial, layout.division or 0)
    return max(last) + 1
