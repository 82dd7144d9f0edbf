# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which photos share a lens, and the focal length to start from.

Runs in the engine.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..contract.views import SourceKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract.settings import RunSettings
    from ..contract.views import View

# COLMAP's guess without EXIF data, in longer sides of the photo: a moderate wide angle.
_GUESSED_FOCAL: Final = 1.2


class LensGroup(NamedTuple):
    """Photos of one lens before the solution.

    Args:
        width: pixels of the photos.
        height: pixels.
        focal_px: focal length to start from.
        has_prior: whether that length was measured (EXIF) and not guessed.
    """

    width: int
    height: int
    focal_px: float
    has_prior: bool


def group_lenses(
    views: Sequence[View], kind: SourceKind, settings: RunSettings
) -> tuple[tuple[LensGroup, ...], tuple[int, ...]]:
    """Decide which views share a lens.

    A video or a sequence has one lens per picture size; photos share one per size and camera
    where `settings.shared_lens` says so, and have one each otherwise.

    Args:
        views: of the source, in order.
        kind: of the source.
        settings: `shared_lens` and `use_focal_prior` are read.

    Returns:
        The groups in the order of their first views, and the group of each view.
    """
    members: dict[tuple[Any, ...], list[int]] = {}
    for index, view in enumerate(views):
        key: tuple[Any, ...] = (view.width, view.height)
        if kind is SourceKind.PHOTOS:
            key += (view.camera_label,) if settings.shared_lens else (index,)
        members.setdefault(key, []).append(index)
    group_of_view = [0] * len(views)
    groups: list[LensGroup] = []
    for indices in members.values():
        for index in indices:
            group_of_view[index] = len(groups)
        groups.append(_describe([views[index] for index in indices], settings))
    return tuple(groups), tuple(group_of_view)


def _describe(views: list[View], settings: RunSettings) -> LensGroup:
    width, height = views[0].width, views[0].height
    priors = [view.focal_prior_px for view in views if view.focal_prior_px]
    if settings.use_focal_prior and priors:
        return LensGroup(width, height, float(median(priors)), has_prior=True)
    return LensGroup(width, height, _GUESSED_FOCAL * max(width, height), has_prior=False)
