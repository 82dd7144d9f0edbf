# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches of synthetic views for the training loop.

Runs in the environment `training`, mostly in worker processes. A batch is a function of the seed
and the step, so a run that is resumed sees what it would have seen.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from .curriculum import PERIOD, Lesson, Plan, Size, plan_step
from .worlds.caster import render
from .worlds.photos import develop
from .worlds.places import make_world
from .worlds.viewpoints import Cameras, place_cameras

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.random import Generator

FIRST_TRAINING_SEED = 1 << 32
"""Worlds with smaller seeds are held out: for tests and evaluation."""
_VIEWS = 6
"""Pictures of a world that is used more than once."""
_FIRST_AGES = 3
"""A step mixes worlds of as many ages as it may repeat one; the first steps of fewer."""
_STEP_OFFSET = 1 << 20
_KEPT_WORLDS = 1200
_PREFETCHED = 4
_PATIENCE = 19


class Batch(NamedTuple):
    """Views of several scenes.

    Attributes:
        images: (B, N, H, W, 3) uint8 sRGB.
        depth: (B, N, H, W) float32, world units; 0 for sky.
        w2c: (B, N, 4, 4) float32, OpenCV world-to-camera.
        K: (B, N, 3, 3) float32, pixels.
        has_known_cameras: the network is given the cameras.
        lesson: what is taught.
    """

    images: Tensor
    depth: Tensor
    w2c: Tensor
    K: Tensor
    has_known_cameras: bool
    lesson: Lesson = "everything"


class _Rendered(NamedTuple):
    colour: Tensor  # (N, H, W, 3) float16, linear RGB
    depth: Tensor  # (N, H, W) float32
    cameras: Cameras


class Batches(Dataset):
    """Batch number `step` for each step.

    Args:
        seed: of the run.
        curriculum: a key of `curriculum.CURRICULA`.
    """

    def __init__(self, seed: int, curriculum: str) -> None:
        self.seed = seed
        self.curriculum = curriculum
        self._kept: OrderedDict[tuple, _Rendered] = OrderedDict()

    @torch.no_grad()
    def __getitem__(self, step: int) -> Batch:
        """Make the batch of a step."""
        plan = plan_step(self.curriculum, step)
        fresh = plan.scenes // plan.repeats
        parts = []
        ages = max(step, 0) // PERIOD + _FIRST_AGES  # a run does not begin with a long wait
        for repeat in range(plan.repeats):
            born = step - repeat % ages * PERIOD  # the step at which these worlds were new
            for number in range(fresh):
                rendered = self._render(born, number, plan)
                random = np.random.default_rng((self.seed, step, repeat, number))
                parts.append(_pick_views(rendered, plan.views, random))
        columns = [torch.stack(column) for column in zip(*parts, strict=True)]
        return Batch(*columns, plan.has_known_cameras, plan.lesson)

    def _render(self, born: int, number: int, plan: Plan) -> _Rendered:
        count = max(plan.views, _VIEWS) if plan.repeats > 1 else plan.views
        key = (born, number, plan.size, count)
        if key not in self._kept:
            sequence = np.random.SeedSequence((self.seed, born + _STEP_OFFSET, number))
            seed = FIRST_TRAINING_SEED + int(sequence.generate_state(1, np.uint64)[0] >> 2)
            self._kept[key] = _render_world(seed, count, plan.size)
            while len(self._kept) > _KEPT_WORLDS:
                self._kept.popitem(last=False)
        return self._kept[key]


def _render_world(seed: int, count: int, size: Size) -> _Rendered:
    world = make_world(seed)
    cameras = place_cameras(world, count, size, np.random.default_rng((seed, 2)))
    views = [render(world, *camera, size) for camera in zip(*cameras, strict=True)]
    colour = torch.stack([view.colour for view in views]).half()
    return _Rendered(colour, torch.stack([view.depth for view in views]), cameras)


def _pick_views(rendered: _Rendered, count: int, random: Generator) -> tuple[Tensor, ...]:
    """Choose some views in any order, mirror them or not, and develop the photos."""
    total = len(rendered.depth)
    first = int(random.integers(0, total - count + 1))
    chosen = first + np.arange(count)  # neighbours, so that they share what they see
    if random.random() < 0.5:  # noqa: PLR2004
        chosen = random.permutation(chosen)
    elif random.random() < 0.5:  # noqa: PLR2004  from the middle: it shares most with the others
        middle = chosen[count // 2]
        chosen = np.concatenate(([middle], chosen[chosen != middle]))
    chosen = torch.from_numpy(chosen)
    colour, depth = rendered.colour[chosen].float(), rendered.depth[chosen]
    w2c, K = (x[chosen] for x in rendered.cameras)
    if random.random() < 0.5:  # noqa: PLR2004
        colour, depth = colour.flip(2), depth.flip(2)
        mirror = torch.diag(torch.tensor((-1.0, 1.0, 1.0, 1.0)))
        w2c = mirror @ w2c @ mirror
    if random.random() < 0.3:  # noqa: PLR2004
        colour = colour[..., torch.from_numpy(random.permutation(3))]
    return develop(colour, random), depth, w2c, K


def load_batches(batches: Batches, first_step: int, workers: int) -> Iterator[Batch]:
    """Go through the batches from a step on, without end.

    Args:
        batches: what to load.
        first_step: number of the first step.
        workers: processes that make them ahead; 0 makes them here.

    Yields:
        Batches in the order of the steps.
    """
    options = {}
    if workers:
        options = {"prefetch_factor": _PREFETCHED, "multiprocessing_context": "spawn"}
    yield from DataLoader(
        batches,
        batch_size=None,
        sampler=_Counting(first_step),
        num_workers=workers,
        worker_init_fn=_prepare_worker,
        **options,
    )


class _Counting:
    """Numbers from `first` on."""

    def __init__(self, first: int) -> None:
        self.first = first

    def __iter__(self) -> Iterator[int]:
        step = self.first
        while True:
            yield step
            step += 1


def _prepare_worker(_number: int) -> None:
    torch.set_num_threads(1)
    if hasattr(os, "nice"):  # what waits for a thread of the network waits for all of them
        os.nice(_PATIENCE)
