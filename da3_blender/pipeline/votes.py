# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views vote on the points of other views: agreed, seen through, or hidden and no vote.

Runs in the engine.
"""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .points import Cloud
    from .witnesses import Choice, Witnesses

_THROUGH: Final = 1.5
"""Tolerances that a surface must lie behind a point that is seen through."""
_BLOCK: Final = 1 << 15  # points whose numbers stay in a processor's cache
_MOST_THREADS: Final = 8
_LEAST_TOLERANCE: Final = 0.015
_MOST_TOLERANCE: Final = 0.1
_SIGMAS: Final = 2.5
_NEAR: Final = 0.25  # larger differences are other surfaces
_SAMPLED_VIEWS: Final = 16
_SAMPLED_POINTS: Final = 500
_WEIGHTS: Final = (0.25, 4.0)


class Votes(NamedTuple):
    """What other views say about M points.

    agreed: (M,) uint8, voters that see a surface there; through: (M,) uint8, voters that see
    something clearly behind it; followed: (M,) bool, a neighbour in time sees it too; shift: (M,)
    float32, by which share of its depth a point moves on its own ray to the mean of all that agree.
    """

    agreed: NDArray[np.uint8]
    through: NDArray[np.uint8]
    followed: NDArray[np.bool_]
    shift: NDArray[np.float32]


def count_votes(
    cloud: Cloud, witnesses: Witnesses, report: Callable[[float], None] | None = None
) -> Votes:
    """Ask other views about each point of a cloud.

    How far two depths that mean the same surface may differ comes from the data.

    Args:
        cloud: each point belongs to one view.
        witnesses: all views.
        report: is told the finished share, 0 to 1, and may raise to end the count.
    """
    count = len(cloud.positions)
    votes = Votes(
        np.zeros(count, np.uint8),
        np.zeros(count, np.uint8),
        np.zeros(count, bool),
        np.zeros(count, np.float32),
    )
    order = np.argsort(cloud.view, kind="stable")
    bounds = np.searchsorted(cloud.view[order], np.arange(witnesses.count + 1))
    groups = [order[a:b] for a, b in itertools.pairwise(bounds)]
    tolerance = _measure_tolerance(cloud, witnesses, groups)

    def ask(view: int) -> None:
        group = groups[view]
        if not len(group):
            return
        choice = witnesses.choose(view, cloud.positions[group])
        for begin in range(0, len(group), _BLOCK):
            part = group[begin : begin + _BLOCK]
            answer = _ask(view, cloud.positions[part], witnesses, choice, tolerance)
            for whole, piece in zip(votes, answer, strict=True):
                whole[part] = piece

    # numpy lets other threads work, and each view writes to points of its own
    pool = ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1))
    try:
        for done, _ in enumerate(pool.map(ask, range(witnesses.count))):
            if report is not None:
                report((done + 1) / witnesses.count)
    finally:
        pool.shutdown(cancel_futures=True)
    return votes


class _Look(NamedTuple):
    """One view's look at points: their depth there inverted, and both surfaces over it."""

    inverse: NDArray[np.float32]
    surface: NDArray[np.float32]
    nearest: NDArray[np.float32]


def _look(
    local: NDArray[np.float32], centre: NDArray[np.float64], witnesses: Witnesses, view: int
) -> _Look:
    """Look up what a view says where points lie in its picture.

    Args:
        local: (M, 3) float32, world axes, measured from `centre`: float32 is exact enough there.
        centre: (3,) world.
        witnesses: all views.
        view: that is asked.
    """
    K, w2c = witnesses.K[view], witnesses.w2c[view]
    turn = (K @ w2c[:3, :3]).astype(np.float32)
    move = (K @ (w2c[:3, :3] @ centre + w2c[:3, 3])).astype(np.float32)
    seen = turn @ local.T
    seen += move[:, None]
    width, height = witnesses.size
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        inverse = 1 / seen[2]
        column, row = seen[0] * inverse, seen[1] * inverse
        inside = (seen[2] > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
        column[~inside] = row[~inside] = 0
        whole_column, whole_row = column.astype(np.int32), row.astype(np.int32)
        place = whole_row * width + whole_column
        place[~inside] = width * height
        column -= whole_column
        row -= whole_row
        bent = witnesses.slope[view, 0].take(place) * (column - np.float32(0.5))
        bent += witnesses.slope[view, 1].take(place) * (row - np.float32(0.5))
        surface = witnesses.depth[view].take(place)
        surface *= inverse
        surface /= 1 + bent
        nearest = witnesses.nearest[view].take(place)
        nearest *= inverse
    return _Look(inverse, surface, nearest)


def _ask(
    view: int,
    points: NDArray[np.float32],
    witnesses: Witnesses,
    choice: Choice,
    tolerance: float,
) -> Votes:
    centre = witnesses.c2w[view, :3, 3]
    ahead = witnesses.c2w[view, :3, 2]
    local = (points - centre).astype(np.float32)
    own_depth = local @ ahead.astype(np.float32)
    count = len(points)
    agreed, through = np.zeros(count, np.uint8), np.zeros(count, np.uint8)
    pulled, pulled_aside = np.zeros(count, np.float32), np.zeros(count, np.float32)
    weights = np.ones(count, np.float32)
    for voter in choice.voters:
        look = _look(local, centre, witnesses, voter)
        with np.errstate(invalid="ignore", over="ignore"):
            differs = look.surface - np.float32(1)
            agrees = np.abs(differs) < tolerance
            through += look.nearest > 1 + _THROUGH * tolerance
            # depth errs in shares of the depth: who is nearer knows better
            weight = np.clip((own_depth * look.inverse) ** 2, *_WEIGHTS)
        agreed += agrees
        weight[~agrees] = 0
        differs[~agrees] = 0
        weights += weight
        weight *= differs
        pulled += weight
        aside = float((witnesses.c2w[voter, :3, 3] - centre) @ ahead)
        pulled_aside += np.float32(aside) * weight
    followed = np.zeros(count, bool)
    for companion in choice.companions:
        with np.errstate(invalid="ignore"):
            near = np.abs(_look(local, centre, witnesses, companion).surface - 1) < tolerance
        followed |= near
    # the voter's surface lies `differs` of its own depth farther on its own ray; along the ray of
    # this view that is less by how far the voter stands before it
    shift = (pulled - pulled_aside / own_depth) / weights
    return Votes(agreed, through, followed, shift.astype(np.float32))


def _measure_tolerance(cloud: Cloud, witnesses: Witnesses, groups: list[NDArray[np.intp]]) -> float:
    """Return the relative difference up to which two depths mean one surface."""
    filled = [view for view, group in enumerate(groups) if len(group)]
    differences = []
    for place in np.linspace(0, len(filled) - 1, min(_SAMPLED_VIEWS, len(filled))).round():
        view = filled[int(place)]
        group = groups[view]
        group = group[:: max(1, len(group) // _SAMPLED_POINTS)]
        centre = witnesses.c2w[view, :3, 3]
        local = (cloud.positions[group] - centre).astype(np.float32)
        for voter in witnesses.choose(view, cloud.positions[group]).voters:
            with np.errstate(invalid="ignore"):
                differs = np.abs(_look(local, centre, witnesses, voter).surface - 1)
            differences.append(differs[differs < _NEAR])
    together = np.concatenate(differences) if differences else np.zeros(0)
    if not len(together):
        return _LEAST_TOLERANCE
    sigma = 1.4826 * float(np.median(together))  # of a normal distribution
    return float(np.clip(_SIGMAS * sigma, _LEAST_TOLERANCE, _MOST_TOLERANCE))
