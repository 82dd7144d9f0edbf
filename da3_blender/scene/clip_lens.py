# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lenses between ours and a movie clip's: focal length, principal point, distortion.

Runs in Blender. Blender counts y from the lower edge and has one focal length, in pixels of the
width; its pixel aspect is fy / fx. Both normalise distortion by the focal length, and Polynomial
and the first terms of Brown are OpenCV's. But Brown's p1 and p2 are the other way round, and
Division divides by a polynomial of the undistorted radius, ours by one of the distorted radius:
there the nearest numbers are fitted. Proven by Blender's solver in `test_clip_tracks.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.errors import EngineError, ErrorCode
from ..contract.lens import Lens

if TYPE_CHECKING:
    from bpy.types import MovieClip, MovieTrackingCamera
    from numpy.typing import NDArray

_ZEROS: Final = (
    "k1", "k2", "k3", "division_k1", "division_k2",
    "brown_k1", "brown_k2", "brown_k3", "brown_k4", "brown_p1", "brown_p2",
)  # fmt: skip
_SAMPLES: Final = 400  # of the radius, for fits
_FARTHEST: Final = 4.0  # times the photo's radius that the undistorted one can be
_HARMLESS_PX: Final = 0.1
_TINY: Final = 1e-30


def set_clip_lens(clip: MovieClip, lens: Lens) -> None:
    """Give a clip's camera our lens.

    Args:
        clip: of the plate, in the lens's size or another one of the same shape.
        lens: with pixels of the photo.
    """
    camera = clip.tracking.camera
    K = lens.K
    width, height = clip.size
    across, down = width / lens.width, height / lens.height
    camera.pixel_aspect = (K[1, 1] * down) / (K[0, 0] * across)
    camera.focal_length_pixels = K[0, 0] * across
    camera.principal_point_pixels = (K[0, 2] * across, height - K[1, 2] * down)
    for name in _ZEROS:
        setattr(camera, name, 0.0)
    k1, k2, p1, p2 = lens.polynomial
    if lens.division:
        camera.distortion_model = "DIVISION"
        camera.division_k1, camera.division_k2 = _fit_division(lens)
    elif p1 or p2:
        camera.distortion_model = "BROWN"
        camera.brown_k1, camera.brown_k2 = k1, k2
        camera.brown_p1, camera.brown_p2 = p2, -p1
    else:
        camera.distortion_model = "POLYNOMIAL"
        camera.k1, camera.k2 = k1, k2


def read_clip_lens(clip: MovieClip) -> tuple[Lens, str]:
    """Return the lens of a clip, and a sentence where ours is only near it.

    Raises:
        EngineError: INPUT_MISMATCH; a lens model that we do not have.
    """
    camera = clip.tracking.camera
    width, height = (int(side) for side in clip.size)
    fx = float(camera.focal_length_pixels)
    fy = fx * float(camera.pixel_aspect)
    x, y = camera.principal_point_pixels
    pinhole = (fx, fy, float(x), height - float(y))
    if camera.distortion_model == "NUKE":
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"The clip {clip.name} has the lens model Nuke, which the engine does not have.",
            "Choose Polynomial, Division or Brown for the clip, and solve it again.",
        )
    p1 = p2 = 0.0
    if camera.distortion_model == "BROWN":
        p1, p2 = -float(camera.brown_p2), float(camera.brown_p1)
    reach = max(np.hypot((cx - pinhole[2]) / fx, (cy - pinhole[3]) / fy)
                for cx in (0, width) for cy in (0, height))  # fmt: skip
    r, photo = _sample_radii(camera, float(reach))
    k1, k2 = _fit_terms(r, photo - r, r).tolist()
    error = float(np.abs(r * (1 + k1 * r**2 + k2 * r**4) - photo).max())
    lens = Lens("OPENCV", (*pinhole, k1, k2, p1, p2), width, height)
    if camera.distortion_model == "DIVISION":
        k = float((r * photo**2) @ (photo - r) / max(float(((r * photo**2) ** 2).sum()), _TINY))
        division_error = float(np.abs(r * (1 + k * photo**2) - photo).max())
        if division_error < error:
            lens, error = Lens("DIVISION", (*pinhole, k), width, height), division_error
    if error * fx < _HARMLESS_PX:
        return lens, ""
    return lens, f"The engine has fewer terms of distortion; they fit to {error * fx:.1f} px."


def has_solution(clip: MovieClip) -> bool:
    """Tell whether Blender has solved the camera of a clip."""
    reconstruction = clip.tracking.objects[0].reconstruction
    return bool(reconstruction.is_valid and len(reconstruction.cameras))


def read_error_px(clip: MovieClip) -> float:
    """Return the mean distance of markers from where the solved points are seen, pixels."""
    return float(clip.tracking.objects[0].reconstruction.average_error)


def _fit_division(lens: Lens) -> tuple[float, float]:
    """Return k1 and k2 of x_photo = x / (1 + k1 r^2 + k2 r^4) that are nearest to our division."""
    edge = [(x, y) for x in (0, lens.width / 2, lens.width) for y in (0, lens.height)]
    pinhole = lens.photo_to_pinhole(np.array(edge, np.float64))
    K = lens.K
    radii = np.hypot((pinhole[:, 0] - K[0, 2]) / K[0, 0], (pinhole[:, 1] - K[1, 2]) / K[1, 1])
    r = np.linspace(0, float(np.nanmax(radii)), _SAMPLES)
    divisor = (1 + np.sqrt(np.maximum(1 - 4 * lens.division * r**2, 0))) / 2
    weight = r / divisor**2  # a change of the divisor by so much moves the photo by that
    k1, k2 = _fit_terms(r, weight * (divisor - 1), weight)
    return float(k1), float(k2)


def _sample_radii(
    camera: MovieTrackingCamera, reach: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return undistorted radii, and the radii in the photo, up to its corner; focal lengths.

    Args:
        camera: of the clip.
        reach: radius of the photo's farthest corner, focal lengths.
    """
    r = np.linspace(0, _FARTHEST * reach, int(_FARTHEST * _SAMPLES))
    photo = r * _distort(camera, r**2)
    beyond = np.flatnonzero((photo >= reach) | (np.diff(photo, append=np.inf) <= 0))
    last = int(beyond[0]) + 1 if len(beyond) else len(r)
    return r[:last], photo[:last]


def _distort(camera: MovieTrackingCamera, square: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the factor from undistorted to distorted radius at squares of the former."""
    if camera.distortion_model == "DIVISION":
        return 1 / (1 + camera.division_k1 * square + camera.division_k2 * square**2)
    if camera.distortion_model == "BROWN":
        terms = (camera.brown_k1, camera.brown_k2, camera.brown_k3, camera.brown_k4)
    else:
        terms = (camera.k1, camera.k2, camera.k3)
    return 1 + sum(float(k) * square ** (power + 1) for power, k in enumerate(terms))


def _fit_terms(
    r: NDArray[np.float64], value: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a and b of value = weight (a r^2 + b r^4), in the least-squares sense."""
    design = np.stack([weight * r**2, weight * r**4], axis=1)
    return np.linalg.lstsq(design, value, rcond=None)[0]
