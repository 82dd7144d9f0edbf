# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why COLMAP finds no cameras, in words that help to take better photos.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.errors import EngineError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .solution import SparseSolution

MIN_FEATURES: Final = 30
_MIN_POINTS: Final = 20
_FOCAL_RANGE: Final = (0.2, 10.0)  # in longer sides of the photo
_TURNED_SHARE: Final = 0.85  # of the pairs: a few overlap too little to tell
_SHELL_SPREAD: Final = 1.5  # depth of far points over near ones; measured on shells: 1.1
_NAMED: Final = 5  # file names in one sentence


def check_view_count(count: int) -> None:
    """Raise when there are too few views to compare.

    Raises:
        EngineError: INPUT_TOO_FEW.
    """
    if count < 2:  # noqa: PLR2004 - a pair
        verb = "was" if count == 1 else "were"
        raise EngineError(
            ErrorCode.INPUT_TOO_FEW,
            f"COLMAP needs at least 2 photos that overlap; {count} {verb} found.",
            "Add photos of the same place from other positions, or find the camera of a single "
            "photo with Depth Anything 3.",
        )


def check_features(counts: Sequence[int]) -> None:
    """Raise when fewer than two photos show enough detail.

    Args:
        counts: features of each photo.

    Raises:
        EngineError: CAMERAS_NOT_FOUND.
    """
    usable = sum(count >= MIN_FEATURES for count in counts)
    if usable < 2:  # noqa: PLR2004 - a pair
        raise EngineError(
            ErrorCode.CAMERAS_NOT_FOUND,
            f"{usable} of {len(counts)} photos show enough detail to recognise: COLMAP needs "
            f"{MIN_FEATURES} distinct spots in a photo and found {max(counts)} in the best one.",
            "Use sharp, well lit photos of surfaces with texture, not of plain walls or sky.",
        )


def explain_no_model(matched: Mapping[str, int], count: int) -> EngineError:
    """Say why no cameras were placed.

    Args:
        matched: the counts that `matching.match_photos` returns.
        count: photos.
    """
    if not matched["verified"]:
        return EngineError(
            ErrorCode.CAMERAS_NOT_FOUND,
            f"None of the {matched['pairs']} pairs among {count} photos shows the same place.",
            "Take photos that overlap by more than half, turning by less than 30 degrees from one "
            "to the next.",
        )
    return _explain_no_depth(matched)


def check_parallax(
    solution: SparseSolution, matched: Mapping[str, int], *, has_prior: bool
) -> None:
    """Raise when the points are a shell that COLMAP invented for a camera that only turned.

    Args:
        solution: what COLMAP made of the photos.
        matched: the counts that `matching.match_photos` returns.
        has_prior: whether all focal lengths are known; then the mapper sees it by itself, and
            more surely.

    Raises:
        EngineError: CAMERAS_NOT_FOUND.
    """
    if has_prior or matched["turned"] < _TURNED_SHARE * matched["verified"]:
        return
    spreads = []
    for view in np.flatnonzero(solution.registered):
        seen = solution.observation_point[solution.observation_view == view]
        if len(seen):
            depth = solution.points[seen] @ solution.w2c[view, 2, :3] + solution.w2c[view, 2, 3]
            near, far = np.percentile(depth, [5, 95])
            spreads.append(far / near)
    if not spreads or np.median(spreads) < _SHELL_SPREAD:
        raise _explain_no_depth(matched)


def _explain_no_depth(matched: Mapping[str, int]) -> EngineError:
    return EngineError(
        ErrorCode.CAMERAS_NOT_FOUND,
        f"{matched['verified']} of {matched['pairs']} photo pairs show the same place (up to "
        f"{matched['best']} common spots), but not from positions that tell its depth.",
        "Move the camera sideways between the photos in place of turning it or zooming, and "
        "include things at different distances. If the camera stood still, choose Tripod for the "
        "cameras.",
    )


def check_solution(solution: SparseSolution) -> None:
    """Raise for solutions that look like cameras but are nonsense.

    Raises:
        EngineError: CAMERAS_NOT_FOUND.
    """
    count = len(solution.points)
    if count < _MIN_POINTS:
        raise EngineError(
            ErrorCode.CAMERAS_NOT_FOUND,
            f"COLMAP placed {int(solution.registered.sum())} cameras, but with {count} common "
            f"points they mean nothing; {_MIN_POINTS} are needed.",
            "Take more photos that overlap by more than half.",
        )
    for lens in solution.lenses:
        ratio = lens.K[0, 0] / max(lens.width, lens.height)
        if not _FOCAL_RANGE[0] <= ratio <= _FOCAL_RANGE[1]:
            raise EngineError(
                ErrorCode.CAMERAS_NOT_FOUND,
                f"COLMAP's focal length is {ratio:.2f} times the photo's longer side, which no "
                f"common lens has ({_FOCAL_RANGE[0]:g} to {_FOCAL_RANGE[1]:g}).",
                "Add photos from other sides and distances, or photos with the focal length in "
                "their EXIF data.",
            )


def describe_lost_views(solution: SparseSolution, names: Sequence[str]) -> str | None:
    """Return a sentence about the views that got no camera, or None if all did."""
    lost = [name for name, kept in zip(names, solution.registered, strict=True) if not kept]
    if not lost:
        return None
    listed = ", ".join(lost[:_NAMED]) + (", ..." if len(lost) > _NAMED else "")
    return (
        f"{len(lost)} of {len(names)} photos got no camera because they share too little with "
        f"the others: {listed}."
    )
