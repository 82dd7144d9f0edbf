# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pictures the network sees when: sizes, numbers of views, numbers of scenes.

Runs in the environment `training`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Size = tuple[int, int]
Lesson = Literal["attention", "patches", "everything"]
"""What a step teaches: nothing but `matching`, as cameras and depth teach little before views can
be compared; that, cameras and what `patch_head` reads; or all that the network answers."""


@dataclass(frozen=True)
class Stage:
    """A part of the training.

    Attributes:
        first_step: where it begins.
        sizes: heights and widths, taken in turns.
        views: numbers of views, taken in turns.
        views_per_step: pictures of all scenes of a step, about.
        worlds: new worlds of a step; the other scenes are worlds of earlier steps, with other
            views, colours and faults.
        lesson: what most steps teach.
        dense_every: one of so many steps teaches everything, where `lesson` is "patches".
    """

    first_step: int
    sizes: tuple[Size, ...]
    views: tuple[int, ...]
    views_per_step: int
    worlds: int
    lesson: Lesson = "everything"
    dense_every: int = 6


@dataclass(frozen=True)
class Plan:
    """What one step trains on.

    Attributes:
        size: height and width.
        views: pictures of each scene.
        scenes: number of scenes; a multiple of `repeats`.
        repeats: how often a world is used.
        has_known_cameras: the network is given the cameras.
        lesson: what is taught.
    """

    size: Size
    views: int
    scenes: int
    repeats: int
    has_known_cameras: bool
    lesson: Lesson


PERIOD = 28
"""Steps after which sizes and numbers of views come again; a world comes again as often."""
_KNOWN_CAMERAS_EVERY = 4
_MOST_REPEATS = 24

_SMALL = ((84, 112), (84, 84), (112, 84), (70, 98), (98, 98), (70, 112), (98, 84))
_MEDIUM = ((84, 126), (112, 112), (98, 126), (126, 84), (70, 126), (126, 98), (98, 140))
_LARGE = ((140, 196), (168, 168), (154, 210), (196, 140), (126, 224), (168, 224), (196, 196))
_FULL = ((280, 392), (336, 336), (252, 448), (392, 280), (336, 504), (378, 504), (504, 378))

CURRICULA: dict[str, tuple[Stage, ...]] = {
    "processor": (
        Stage(0, _SMALL, (2, 3), views_per_step=48, worlds=1, lesson="attention"),
        Stage(500, _SMALL, (2, 3, 4, 2), views_per_step=48, worlds=1, lesson="patches"),
        Stage(
            2700, _SMALL, (4, 2, 3, 6), views_per_step=48, worlds=1, lesson="patches", dense_every=3
        ),
        Stage(
            4085,
            _SMALL,
            (4, 2, 8, 3, 6, 4, 12),
            views_per_step=48,
            worlds=1,
            lesson="patches",
            dense_every=3,
        ),
        Stage(20000, _MEDIUM, (4, 2, 3, 4, 1, 6, 2), views_per_step=48, worlds=1),
    ),
    "graphics": (
        Stage(0, _SMALL, (2, 3), views_per_step=256, worlds=24, lesson="attention"),
        Stage(700, _SMALL, (2, 3, 4, 2), views_per_step=256, worlds=24),
        Stage(8000, _MEDIUM, (2, 4, 3, 1), views_per_step=256, worlds=24),
        Stage(25000, _MEDIUM + _LARGE, (2, 4, 6, 1), views_per_step=192, worlds=16),
        Stage(45000, _LARGE + _FULL, (2, 4, 8, 1), views_per_step=96, worlds=8),
    ),
    "test": (Stage(0, ((28, 42), (42, 28)), (2, 3), views_per_step=6, worlds=1),),
}


def plan_step(curriculum: str, step: int) -> Plan:
    """Tell what a step trains on.

    Args:
        curriculum: a key of `CURRICULA`.
        step: number of the step from 0; less than 0 means the first stage.

    Returns:
        The plan; a function of the arguments only.
    """
    stages = CURRICULA[curriculum]
    stage = [s for s in stages if s.first_step <= max(step, 0)][-1]
    place = step % PERIOD
    size = stage.sizes[place % len(stage.sizes)]
    # the numbers of views change once per round of sizes, so that all pairs come
    views = stage.views[(place + place // len(stage.sizes)) % len(stage.views)]
    scenes = max(1, round(stage.views_per_step / views))
    repeats = min(_MOST_REPEATS, max(1, round(scenes / stage.worlds)))
    scenes = repeats * max(stage.worlds, scenes // repeats)
    is_dense = stage.lesson == "patches" and step % stage.dense_every == 0
    lesson = "everything" if is_dense else stage.lesson
    is_known = views > 1 and (step // PERIOD + place) % _KNOWN_CAMERAS_EVERY == 0
    return Plan(size, views, scenes, repeats, is_known and lesson != "attention", lesson)
