# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lenses between ours and a movie clip's: focal length, principal point, distortion.

Runs in Blender. Blender counts y from the lower edge and gives only one focal length, in pixels of
the width; its pixel aspect is fy / fx. Both normalise distortion by the focal length. Proven with
numbers in `tests/addon/test_clip_tracks.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..contract.errors import EngineError, ErrorCode
from ..contract.lens import Lens

if TYPE_CHECKING:
    from bpy.types import MovieClip

_ZEROS: Final = (
    "k1", "k2", "k3", "division_k1", "division_k2",
    "brown_k1", "brown_k2", "brown_k3", "brown_k4", "brown_p1", "brown_p2",
)  # fmt: skip
_HARMLESS_PX: Final = 0.1


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
        camera.distortion_model, camera.division_k1 = "DIVISION", lens.division
    elif p1 or p2:
        camera.distortion_model = "BROWN"
        camera.brown_k1, camera.brown_k2 = k1, k2
        camera.brown_p1, camera.brown_p2 = -p1, p2  # y goes the other way
    else:
        camera.distortion_model = "POLYNOMIAL"
        camera.k1, camera.k2 = k1, k2


def read_clip_lens(clip: MovieClip) -> tuple[Lens, str]:
    """Return the lens of a clip, and a sentence where something of it had to be left out.

    Raises:
        EngineError: INPUT_MISMATCH; a lens model that we do not have.
    """
    camera = clip.tracking.camera
    width, height = (int(side) for side in clip.size)
    fx = float(camera.focal_length_pixels)
    fy = fx * float(camera.pixel_aspect)
    x, y = camera.principal_point_pixels
    pinhole = (fx, fy, float(x), height - float(y))
    model = camera.distortion_model
    if model == "NUKE":
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"The clip {clip.name} has the lens model Nuke, which the engine does not have.",
            "Choose Polynomial, Division or Brown for the clip, and solve it again.",
        )
    if model == "DIVISION":
        lens = Lens("DIVISION", (*pinhole, float(camera.division_k1)), width, height)
        return lens, _tell_rest(lens, ((4, camera.division_k2),))
    if model == "BROWN":
        tangential = (-float(camera.brown_p1), float(camera.brown_p2))
        terms = (float(camera.brown_k1), float(camera.brown_k2), *tangential)
        rest = ((6, camera.brown_k3), (8, camera.brown_k4))
    else:
        terms = (float(camera.k1), float(camera.k2), 0.0, 0.0)
        rest = ((6, camera.k3),)
    lens = Lens("OPENCV", (*pinhole, *terms), width, height)
    return lens, _tell_rest(lens, rest)


def has_solution(clip: MovieClip) -> bool:
    """Tell whether Blender has solved the camera of a clip."""
    reconstruction = clip.tracking.objects[0].reconstruction
    return bool(reconstruction.is_valid and len(reconstruction.cameras))


def read_error_px(clip: MovieClip) -> float:
    """Return the mean distance of markers from where the solved points are seen, pixels."""
    return float(clip.tracking.objects[0].reconstruction.average_error)


def _tell_rest(lens: Lens, terms: tuple[tuple[int, float], ...]) -> str:
    """Say how much the terms move the corner of the picture that we do not have."""
    K = lens.K
    x, y = lens.width / 2 / K[0, 0], lens.height / 2 / K[1, 1]
    radius = (x * x + y * y) ** 0.5
    moved = sum(abs(float(value)) * radius ** (power + 1) for power, value in terms) * K[0, 0]
    if moved < _HARMLESS_PX:
        return ""
    return f"Higher terms of the distortion are left out; they move the corners by {moved:.1f} px."
