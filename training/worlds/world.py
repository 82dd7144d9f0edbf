# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a synthetic world consists of, and how a generator puts it together.

Runs in the environment `training`. World frame: z up, units of about a metre.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .solids import Kind, Solids
from .textures import PATTERN_NAMES, Materials

if TYPE_CHECKING:
    from numpy.random import Generator

Point = tuple[float, float, float]
_PLAIN_SHARE = 0.3
"""Most surfaces of real places have hardly a pattern."""


class Lights(NamedTuple):
    """Lamps and suns.

    Attributes:
        place: (L, 3) float32, position of a lamp or direction to a sun, world.
        is_sun: (L,) bool.
        colour: (L, 3) float32, linear RGB, strength included.
        reach: (L,) float32, distance at which a lamp has half its strength.
    """

    place: Tensor
    is_sun: Tensor
    colour: Tensor
    reach: Tensor


class Terrain(NamedTuple):
    """A height field z = base + sum of amplitude * sin(wave . xy + phase).

    Attributes:
        base: height.
        amplitude: (S,) float32.
        wave: (S, 2) float32, radians per world unit.
        phase: (S,) float32.
        material: index of its material.
    """

    base: float
    amplitude: Tensor
    wave: Tensor
    phase: Tensor
    material: int

    def find_height(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the height above places of any shape."""
        height = torch.full_like(x, self.base)
        for a, (kx, ky), p in zip(
            self.amplitude.tolist(), self.wave.tolist(), self.phase.tolist(), strict=True
        ):
            height = height + a * torch.sin(kx * x + ky * y + p)
        return height

    def find_normal(self, x: Tensor, y: Tensor) -> Tensor:
        """Return (R, 3) upward normals, not normalised, above places (R,)."""
        angle = x[:, None] * self.wave[:, 0] + y[:, None] * self.wave[:, 1] + self.phase
        slope = (self.amplitude * angle.cos()) @ self.wave  # (R, 2)
        return torch.cat((-slope, torch.ones_like(x)[:, None]), -1)


class Sky(NamedTuple):
    """Colours of the sky: (3,) linear RGB at the horizon, above, and of clouds; cover 0..1."""

    horizon: Tensor
    zenith: Tensor
    cloud: Tensor
    cover: float


@dataclass(frozen=True)
class World:
    """A scene that can be rendered.

    Attributes:
        solids: one stack for each kind that occurs.
        every: all solids in the order of the stacks; `kind` in it says nothing.
        kinds: (P,) int64, kind of each.
        materials: of solids and terrain.
        lights: lamps and suns.
        ambient: (2, 3) float32, light from below and from above.
        terrain: ground with hills, or None.
        sky: None in closed rooms.
        region: (2, 3) float32, lowest and highest corner of where cameras may be.
        targets: (T, 3) float32, what is worth looking at.
        name: of the kind of place.
    """

    solids: tuple[Solids, ...]
    every: Solids
    kinds: Tensor
    materials: Materials
    lights: Lights
    ambient: Tensor
    terrain: Terrain | None
    sky: Sky | None
    region: Tensor
    targets: Tensor
    name: str


class Look(NamedTuple):
    """How a material is chosen: which patterns, and how large they repeat."""

    patterns: tuple[str, ...] = PATTERN_NAMES
    least_size: float = 0.15
    greatest_size: float = 1.2


@dataclass
class WorldBuilder:
    """Collects the parts of a world.

    Attributes:
        random: source of all choices.
        targets: what is worth looking at.
    """

    random: Generator
    targets: list[Point] = field(default_factory=list)
    _solids: dict[Kind, list[tuple]] = field(default_factory=dict)
    _materials: list[tuple] = field(default_factory=list)
    _lights: list[tuple] = field(default_factory=list)

    def pick_colour(self, *, is_vivid: bool = False) -> np.ndarray:
        """Choose a linear RGB reflectance."""
        random = self.random
        value = random.uniform(0.12, 0.95)
        saturation = random.uniform(0.4, 1.0) if is_vivid else random.beta(1.2, 2.5)
        hue = random.uniform(0, 6) if random.random() < 0.5 else random.normal(0.6, 0.35) % 6  # noqa: PLR2004
        wheel = np.clip(np.abs((hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
        return (value * (1 - saturation * (1 - wheel))) ** 2.2

    def add_material(self, look: Look | None = None, *, glow: float = 0.0) -> int:
        """Make a material and return its index."""
        random, look = self.random, look or Look()
        is_plain = "plaster" in look.patterns and random.random() < _PLAIN_SHARE
        name = "plaster" if is_plain else str(random.choice(look.patterns))
        pattern = PATTERN_NAMES.index(name)
        first = self.pick_colour(is_vivid=random.random() < 0.2)  # noqa: PLR2004
        if is_plain or random.random() < 0.6:  # noqa: PLR2004  related tones
            second = np.clip(first * random.uniform(0.35, 1.9, 3) ** 0.7, 0.01, 0.95)
        else:
            second = self.pick_colour()
        third = self.pick_colour() if random.random() < 0.5 else first * random.uniform(0.2, 0.7)  # noqa: PLR2004
        size = np.exp(random.uniform(np.log(look.least_size), np.log(look.greatest_size)))
        turns = random.random() < 0.25  # noqa: PLR2004
        angle = random.uniform(0, np.pi) if turns else random.integers(2) * np.pi / 2
        shine = random.uniform(0.1, 0.7) if random.random() < 0.25 else 0.0  # noqa: PLR2004
        offset = random.uniform(0, 200, 2)
        colours = np.stack((first, second, third))
        self._materials.append((pattern, colours, 1 / size, angle, offset, shine, glow))
        return len(self._materials) - 1

    def add(
        self,
        kind: Kind,
        centre: Point,
        half: Point,
        material: int,
        turn: np.ndarray | None = None,
        *,
        casts_shadow: bool = True,
    ) -> None:
        """Add a solid.

        Args:
            kind: unit shape.
            centre: world.
            half: half lengths of its axes.
            material: index.
            turn: (3, 3) rotation, its own axes to the world's; None for upright.
            casts_shadow: whether it can shade others.
        """
        turn = np.eye(3) if turn is None else turn
        half = np.maximum(half, 1e-3)
        to_local = turn.T / half[:, None]
        part = (to_local, np.asarray(centre), half, material, casts_shadow)
        self._solids.setdefault(kind, []).append(part)

    def add_light(self, place: Point, colour: np.ndarray, *, reach: float = 0.0) -> None:
        """Add a lamp, or with `reach` 0 a sun whose direction is `place`."""
        self._lights.append((np.asarray(place), reach == 0, colour, max(reach, 1e-3)))

    def build(
        self,
        name: str,
        region: tuple[Point, Point],
        ambient: np.ndarray,
        terrain: Terrain | None = None,
        sky: Sky | None = None,
    ) -> World:
        """Put everything together."""
        stacks, kinds = [], []
        for kind, parts in sorted(self._solids.items()):
            stacks.append(_stack(kind, parts))
            kinds += [int(kind)] * len(parts)
        every = Solids(stacks[0].kind, *(torch.cat(column) for column in list(zip(*stacks))[1:]))  # noqa: B905
        pattern, *rest = zip(*self._materials, strict=True)
        place, is_sun, colour, reach = zip(*self._lights, strict=True)
        return World(
            solids=tuple(stacks),
            every=every,
            kinds=torch.tensor(kinds),
            materials=Materials(torch.tensor(pattern), *(_to_tensor(x) for x in rest)),
            lights=Lights(
                _to_tensor(place), torch.tensor(is_sun), _to_tensor(colour), _to_tensor(reach)
            ),
            ambient=_to_tensor(ambient),
            terrain=terrain,
            sky=sky,
            region=_to_tensor(region),
            targets=_to_tensor(self.targets),
            name=name,
        )


def make_turn(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Make a rotation: roll about y, then pitch about x, then yaw about z, radians."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_y = np.array([[cr, 0, sr], [0, 1, 0], [-sr, 0, cr]])
    return about_z @ about_x @ about_y


def _stack(kind: Kind, parts: list[tuple]) -> Solids:
    to_local, centre, half, material, casts_shadow = zip(*parts, strict=True)
    return Solids(
        kind,
        _to_tensor(to_local),
        _to_tensor(centre),
        _to_tensor(half),
        torch.tensor(material),
        torch.tensor(casts_shadow),
    )


def _to_tensor(values: object) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32))
