# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pictures the network sees when: sizes, numbers of views, numbers of scenes.

Runs in the environment `training`.
"""

from __future__ import annotations

from dataclasses import dataclass

Size = tuple[int, int]


@dataclass(frozen=True)
class Stage:
    """A part of the training.

    Attributes:
        first_step: where it begins.
        sizes: heights and widths, taken in turns.
        views: numbers of views, taken in turns.
        views_per_step: pictures of all scenes of a step, about.
        repeats: how often a world is used, each time with other views, colours and faults.
        teaches_attention: nothing but `matching`, which needs no head: cameras and depth teach
            little before views can be compared.
    """

    first_step: int
    sizes: tuple[Size, ...]
    views: tuple[int, ...]
    views_per_step: int
    repeats: int
    teaches_attention: bool = False


@dataclass(frozen=True)
class Plan:
    """What one step trains on.

    Attributes:
        size: height and width.
        views: pictures of each scene.
        scenes: number of scenes; a multiple of `repeats`.
        repeats: scenes that were seen before are `(repeats - 1) / repeats` of all.
        has_known_cameras: the network is given the cameras.
        teaches_attention: nothing else is taught.
    """

    size: Size
    views: int
    scenes: int
    repeats: int
    has_known_cameras: bool
    teaches_attention: bool


PERIOD = 28
"""Steps after which sizes and numbers of views come again; a world comes again as often."""
_KNOWN_CAMERAS_EVERY = 4

_TINY = ((56, 84), (70, 70), (56, 70), (70, 98), (84, 56), (70, 84), (84, 84))
_SMALL = ((70, 98), (84, 84), (84, 112), (98, 70), (56, 98), (84, 112), (98, 98))
_MEDIUM = ((84, 126), (112, 112), (98, 126), (126, 84), (70, 126), (126, 98), (98, 140))
_LARGE = ((140, 196), (168, 168), (154, 210), (196, 140), (126, 224), (168, 224), (196, 196))
_FULL = ((280, 392), (336, 336), (252, 448), (392, 280), (336, 504), (378, 504), (504, 378))

CURRICULA: dict[str, tuple[Stage, ...]] = {
    "processor": (
        Stage(0, _TINY, (2, 3), views_per_step=32, repeats=6, teaches_attention=True),
        Stage(700, _TINY, (2, 3, 4, 2), views_per_step=32, repeats=6),
        Stage(1800, _SMALL, (2, 3, 4, 2), views_per_step=32, repeats=6),
        Stage(3000, _MEDIUM, (4, 2, 3, 4, 1, 4, 2), views_per_step=32, repeats=6),
        Stage(20000, _MEDIUM + _LARGE, (4, 2, 3, 4, 1, 4, 2), views_per_step=32, repeats=6),
    ),
    "graphics": (
        Stage(0, _SMALL, (2, 3), views_per_step=256, repeats=4, teaches_attention=True),
        Stage(700, _SMALL, (2, 3, 4, 2), views_per_step=256, repeats=4),
        Stage(8000, _MEDIUM, (2, 4, 3, 1), views_per_step=256, repeats=4),
        Stage(25000, _MEDIUM + _LARGE, (2, 4, 6, 1), views_per_step=192, repeats=4),
        Stage(45000, _LARGE + _FULL, (2, 4, 8, 1), views_per_step=96, repeats=4),
    ),
    "test": (Stage(0, ((28, 42), (42, 28)), (2, 3), views_per_step=6, repeats=2),),
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
    scenes = max(1, round(stage.views_per_step / (views * stage.repeats))) * stage.repeats
    is_known = views > 1 and (step // PERIOD + place) % _KNOWN_CAMERAS_EVERY == 0
    is_known = is_known and not stage.teaches_attention
    return Plan(size, views, scenes, stage.repeats, is_known, stage.teaches_attention)
