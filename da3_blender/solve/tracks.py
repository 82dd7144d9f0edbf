# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracks: which features of all views are the same point.

Runs in COLMAP's child process of the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pycolmap
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .match_check import find_plausible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .refine_start import RefineStart
    from .work_folder import WorkFolder


_FEWEST_RAYS: Final = 2


class Tracks(NamedTuple):
    """L observations of M points.

    view: (L,) position among the views; point: (L,) 0 to M - 1; feature: (L,) index in its view;
    px: (L, 2) float64, pixels of the photo; count: M.
    """

    view: NDArray[np.int64]
    point: NDArray[np.int64]
    feature: NDArray[np.int64]
    px: NDArray[np.float64]
    count: int

    def find_lasting(self, kept: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the points that two views or more still see when some observations go, rising."""
        pairs = np.unique(np.stack([self.point[kept], self.view[kept]]), axis=1)
        return np.flatnonzero(np.bincount(pairs[0], minlength=self.count) >= _FEWEST_RAYS)

    def take(self, kept: NDArray[np.bool_]) -> Tracks:
        """Return some observations, without points that fewer than two views are left of."""
        lasting = self.find_lasting(kept)
        good = kept & np.isin(self.point, lasting)
        point = np.searchsorted(lasting, self.point[good])
        return Tracks(self.view[good], point, self.feature[good], self.px[good], len(lasting))


def read_tracks(folder: WorkFolder, start: RefineStart, *, is_rough: bool = True) -> Tracks:
    """Join the verified matches of a database to tracks.

    A track holds one feature of each view: where matches join several, the one with most matches
    stays.

    Args:
        folder: holds database and features.
        start: the views that take part, and their rough cameras.
        is_rough: matches that these cameras contradict are left out; False believes no camera.
    """
    views = start.views
    features = []
    for view in views:
        with np.load(folder.features(view)) as file:
            features.append(file["keypoints"][:, :2].astype(float))
    first = np.concatenate([[0], np.cumsum([len(found) for found in features])])
    pairs, matches = _read_matches(folder, {view: place for place, view in enumerate(views)})
    if is_rough:
        places = [
            np.concatenate([features[one][m[:, 0]], features[two][m[:, 1]]], axis=1)
            for (one, two), m in zip(pairs, matches, strict=True)
        ]
        plausible = find_plausible(start, pairs, places)
        matches = [m[good] for m, good in zip(matches, plausible, strict=True)]
    nodes = [m + [first[one], first[two]] for (one, two), m in zip(pairs, matches, strict=True)]
    a, b = np.concatenate([np.zeros((0, 2), np.int64), *nodes]).T
    total = int(first[-1])
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), (total, total))
    _, label = connected_components(graph, directed=False)
    degree = np.bincount(np.concatenate([a, b]), minlength=total)
    node = np.flatnonzero(degree)
    view = np.searchsorted(first, node, side="right") - 1
    order = np.lexsort((-degree[node], view, label[node]))
    node, view = node[order], view[order]
    chosen = label[node]
    is_first = np.ones(len(node), bool)
    is_first[1:] = (chosen[1:] != chosen[:-1]) | (view[1:] != view[:-1])
    px = np.concatenate(features) if features else np.zeros((0, 2))
    everything = Tracks(view, chosen.astype(np.int64), node - first[view], px[node], int(total))
    return everything.take(is_first)


def _read_matches(
    folder: WorkFolder, place: dict[int, int]
) -> tuple[list[tuple[int, int]], list[NDArray[np.int64]]]:
    """Return the verified pairs, as places of their views, and the (M, 2) features of each."""
    with pycolmap.Database.open(folder.database) as database:
        numbers, geometries = database.read_two_view_geometries()
    pairs: list[tuple[int, int]] = []
    found: list[NDArray[np.int64]] = []
    for number, geometry in zip(numbers, geometries, strict=True):
        one, two = (image - 1 for image in pycolmap.pair_id_to_image_pair(number))
        matches = np.asarray(geometry.inlier_matches, np.int64).reshape(-1, 2)
        if one in place and two in place and len(matches):
            pairs.append((place[one], place[two]))
            found.append(matches)
    return pairs, found
