# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras of the frames between keyframes, which are looked at in small groups with them.

Runs in the engine. A group is a world and a unit of its own. How it turns says how to turn the
way from a keyframe to a frame; only its unit has to be found. From the keyframe before and the one
after come two answers for each frame, which are mixed by its distance from both: there is no jump
at a keyframe, and what the group has drifted is spread evenly.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..contract.cameras import invert_rigid
from ..contract.rotations import find_nearest_rotation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NEIGHBOURS: Final = 2
"""Keyframes on each side of a group that are looked at with it."""
LEAST_SIZE: Final = 2 * NEIGHBOURS + 2
"""Frames of a group: the keyframes, one frame more that is known, and one that is not."""


class Group(NamedTuple):
    """Frames that are looked at together.

    Attributes:
        known: frames that have cameras by then, ascending: keyframes, and the last frame of the
            group before where both are parts of one gap.
        between: frames that get cameras, ascending.
    """

    known: list[int]
    between: list[int]

    @property
    def frames(self) -> list[int]:
        """Return all frames, ascending."""
        return sorted((*self.known, *self.between))


def make_groups(frames: int, keys: Sequence[int], size: int) -> list[Group]:
    """Cut what lies between keyframes into groups.

    Short gaps share a group, long ones are cut into parts of about one length.

    Args:
        frames: of the whole shot.
        keys: that have cameras, ascending; at least one.
        size: largest number of frames of a group, LEAST_SIZE or more.
    """
    groups: list[Group] = []
    waiting: list[int] = []
    for gap in _list_gaps(frames, keys):
        if waiting and len(_surround([*waiting, *gap], keys).frames) > size:
            groups.append(_surround(waiting, keys))
            waiting = []
        room = size - len(_surround(gap, keys).known)
        if len(gap) <= room:
            waiting += gap
            continue
        parts = np.array_split(np.array(gap), -(-len(gap) // (room - 1)))  # one for the link
        for number, part in enumerate(parts):
            group = _surround(part.tolist(), keys)
            link = [] if number == 0 else [int(parts[number - 1][-1])]
            groups.append(group._replace(known=sorted((*group.known, *link))))
    if waiting:
        groups.append(_surround(waiting, keys))
    return groups


def _list_gaps(frames: int, keys: Sequence[int]) -> list[list[int]]:
    borders = [-1, *keys, frames]
    gaps = [list(range(a + 1, b)) for a, b in itertools.pairwise(borders)]
    return [gap for gap in gaps if gap]


def _surround(between: list[int], keys: Sequence[int]) -> Group:
    """Return a group with the keyframes inside of it and around it."""
    first, last = np.searchsorted(keys, (between[0], between[-1]))
    begin, end = max(0, int(first) - NEIGHBOURS), min(len(keys), int(last) + NEIGHBOURS)
    return Group(list(keys[begin:end]), list(between))


def place_group(
    group: Group, group_w2c: NDArray[np.floating], known_w2c: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Find the cameras of a group's new frames in the world of its known ones.

    Args:
        group: N frames, A of them known.
        group_w2c: (N, 4, 4) OpenCV, world of the group, of `group.frames`.
        known_w2c: (A, 4, 4) OpenCV, of `group.known`.

    Returns:
        (B, 4, 4) OpenCV, of `group.between`.
    """
    frames = np.array(group.frames)
    own, target = invert_rigid(group_w2c), invert_rigid(known_w2c)
    known = np.array(group.known)
    rows = np.searchsorted(frames, known)
    scale = measure_way_scale(own[rows], target)
    between = np.array(group.between)
    after = np.clip(np.searchsorted(known, between), 0, len(known) - 1)
    before = np.where(known[after] < between, after, np.maximum(after - 1, 0))
    places = np.searchsorted(frames, between)
    early, late = (_carry(own, places, rows[end], target[end], scale) for end in (before, after))
    span = np.maximum(known[after] - known[before], 1)
    share = np.clip((between - known[before]) / span, 0, 1)
    share = np.where(before == after, 0.0, share)
    mixed = np.tile(np.eye(4), (len(between), 1, 1))
    mixed[:, :3, 3] = _mix(early[:, :3, 3], late[:, :3, 3], share)
    mixed[:, :3, :3] = _mix_rotations(early[:, :3, :3], late[:, :3, :3], share)
    return invert_rigid(mixed)


def measure_way_scale(own: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    """Return target units per unit of a group, from the ways between cameras that both know.

    Least squares over all pairs: where a camera stands, what both call motion is noise that has
    nothing in common, and the group's part of it is made small.

    Args:
        own: (A, 4, 4) camera-to-world of the group.
        target: (A, 4, 4) camera-to-world of the same frames.

    Returns:
        The scale, 0 or more; 1 where there are no ways.
    """
    one, two = np.triu_indices(len(own), 1)
    ways = [
        np.einsum("pji,pj->pi", c2w[one, :3, :3], c2w[two, :3, 3] - c2w[one, :3, 3])
        for c2w in (own, target)
    ]
    total = float((ways[0] ** 2).sum())
    return max(float((ways[0] * ways[1]).sum()) / total, 0.0) if total > 0 else 1.0


def _carry(
    own: NDArray[np.float64],
    places: NDArray[np.intp],
    anchors: NDArray[np.intp],
    target: NDArray[np.float64],
    scale: float,
) -> NDArray[np.float64]:
    """Return (B, 4, 4) camera-to-world: the group's way from an anchor, begun where that is."""
    relative = invert_rigid(own[anchors]) @ own[places]
    relative[:, :3, 3] *= scale
    return target @ relative


def _mix(
    one: NDArray[np.float64], two: NDArray[np.float64], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    return one + share[:, None] * (two - one)


def _mix_rotations(
    one: NDArray[np.float64], two: NDArray[np.float64], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (B, 3, 3), the means of rotations that are nearly the same, made orthogonal."""
    mean = _mix(one.reshape(-1, 9), two.reshape(-1, 9), share)
    return find_nearest_rotation(mean.reshape(-1, 3, 3))
