# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural textures: colour as a function of a place on a surface.

Runs in the environment `training`. Patterns fade to their mean where they are finer than a pixel,
so that pictures do not flicker.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_TABLE_BITS = 8
_TABLE_SIDE = 1 << _TABLE_BITS
_LINE_WIDTH = 0.06


class Materials(NamedTuple):
    """The materials of a world.

    Attributes:
        pattern: (M,) int64, index into `PATTERNS`.
        colours: (M, 3, 3) float32, three linear RGB colours each.
        frequency: (M,) float32, repeats per world unit.
        angle: (M,) float32, radians, turn of the pattern.
        offset: (M, 2) float32.
        shine: (M,) float32, strength of the highlight, 0 for dull ones.
        glow: (M,) float32, light of its own.
    """

    pattern: Tensor
    colours: Tensor
    frequency: Tensor
    angle: Tensor
    offset: Tensor
    shine: Tensor
    glow: Tensor


def _build_table() -> Tensor:
    generator = torch.Generator().manual_seed(20261126)
    return torch.rand(_TABLE_SIDE * _TABLE_SIDE, generator=generator)


_TABLE = _build_table()


def _hash(i: Tensor, j: Tensor, salt: int = 0) -> Tensor:
    """Return a random number in 0..1 for integer cells."""
    mask = _TABLE_SIDE - 1
    row = (i.long() + 37 * salt) & mask
    column = (j.long() + 101 * salt) & mask
    return _TABLE[(row << _TABLE_BITS) | column]


def _noise(u: Tensor, v: Tensor, salt: int = 0) -> Tensor:
    """Return smooth noise in 0..1 with features of size 1."""
    i, j = u.floor(), v.floor()
    x, y = u - i, v - j
    x, y = x * x * (3 - 2 * x), y * y * (3 - 2 * y)
    low = torch.lerp(_hash(i, j, salt), _hash(i + 1, j, salt), x)
    high = torch.lerp(_hash(i, j + 1, salt), _hash(i + 1, j + 1, salt), x)
    return torch.lerp(low, high, y)


def _fractal(u: Tensor, v: Tensor, fade: Tensor, salt: int = 0, octaves: int = 3) -> Tensor:
    """Return noise of several sizes, mean one half; octaves finer than a pixel are left out."""
    total, weight = torch.zeros_like(u), 0.0
    for octave in range(octaves):
        factor, share = 2.0**octave, 0.55**octave
        visible = (fade * 2 - 0.25 * octave).clamp(0, 1)
        noise = _noise(u * factor, v * factor, salt + octave)
        total = total + share * visible * (noise - 0.5)
        weight += share
    return 0.5 + total * 1.6 / weight


def _edge(x: Tensor, width: float = _LINE_WIDTH) -> Tensor:
    """Return 1 within `width` of an integer."""
    fraction = x - x.floor()
    return (torch.minimum(fraction, 1 - fraction) < width).float()


def _plaster(u: Tensor, v: Tensor, fade: Tensor) -> tuple[Tensor, Tensor]:
    return _fractal(2 * u, 2 * v, fade, 3) * 0.5, 0.3 * _fractal(0.3 * u, 0.3 * v, fade, 5)


def _checker(u: Tensor, v: Tensor, fade: Tensor) -> tuple[Tensor, Tensor]:
    odd = (u.floor() + v.floor()).remainder(2)
    return 0.5 + (odd - 0.5) * fade, 0.1 * _hash(u.floor(), v.floor())


def _bricks(u: Tensor, v: Tensor, fade: Tensor) -> tuple[Tensor, Tensor]:
    row = (2 * v).floor()
    along = u + 0.5 * row.remainder(2)
    mortar = torch.maximum(_edge(along, 0.04), _edge(2 * v, 0.08)) * fade
    tone = _hash(along.floor(), row, 7) * fade + 0.5 * (1 - fade)
    return tone * (1 - mortar), mortar


def _wood(u: Tensor, v: Tensor, fade: Tensor) -> tuple[Tensor, Tensor]:
    plank = (2 * v).floor()
    seam = torch.maximum(_edge(2 * v, 0.04), _edge(0.4 * u + _hash(plank, plank, 2), 0.01))
    grain = _fractal(0.7 * u + 13 * plank, 9 * v, fade, 11)
    tone = 0.6 * grain + 0.4 * _hash(plank, (0.4 * u).floor(), 4)
    return tone, 0.6 * seam * fade


def _stripes(u: Tensor, v: Tensor, fade: Tensor) -> tuple[Tensor, Tensor]:
    band = u.floor()
    return 0.5 + (band.remainder(2) - 0.5) * fade, 0.4 * _hash(band, torch.zeros_like(v), 9) * fade


def _tiles(u: Tensor, v: Tensor, fade: Tensor) -> tuple[Tensor, Tensor]:
    line = torch.maximum(_edge(u), _edge(v)) * fade
    tone = _hash(u.floor(), v.floor(), 13) * 0.6 + 0.3 * _fractal(3 * u, 3 * v, fade, 1)
    return tone * (1 - line), line


def _cloudy(u: Tensor, v: Tensor, fade: Tensor) -> tuple[Tensor, Tensor]:
    tone = ((_fractal(u, v, fade, 17, octaves=4) - 0.5) * 2.2 + 0.5).clamp(0, 1)
    return tone, (_fractal(2 * u, 2 * v, fade, 19) - 0.55).clamp(0, 1) * 2


def _letters(u: Tensor, v: Tensor, fade: Tensor) -> tuple[Tensor, Tensor]:
    line, place = (v / 1.6).floor(), (v / 1.6) % 1
    cell_u, cell_v = (4 * u).floor(), (7 * place).floor()
    within = (cell_u.remainder(4) < 3) & (cell_v < 5)  # noqa: PLR2004
    word = _noise(u * 0.7, line * 3.3, 23) > 0.3  # noqa: PLR2004
    ink = (_hash(cell_u, line * 7 + cell_v, 29) > 0.45) & within & word  # noqa: PLR2004
    return ink.float() * fade, torch.zeros_like(u)


def _dots(u: Tensor, v: Tensor, fade: Tensor) -> tuple[Tensor, Tensor]:
    row = v.floor()
    x, y = (u + 0.5 * row.remainder(2)) % 1 - 0.5, v - row - 0.5
    radius = 0.15 + 0.25 * _hash((u + 0.5 * row.remainder(2)).floor(), row, 31)
    return (torch.hypot(x, y) < radius).float() * fade, torch.zeros_like(u)


def _marble(u: Tensor, v: Tensor, fade: Tensor) -> tuple[Tensor, Tensor]:
    vein = torch.sin(4 * u + 7 * _fractal(u, v, fade, 37))
    return (1 - vein.abs()) ** 2 * fade, 0.4 * _fractal(0.5 * u, 0.5 * v, fade, 41)


def _windows(u: Tensor, v: Tensor, fade: Tensor) -> tuple[Tensor, Tensor]:
    x, y = u % 1, v % 1
    glass = ((x - 0.5).abs() < 0.27) & ((y - 0.5).abs() < 0.33)  # noqa: PLR2004
    frame = ((x - 0.5).abs() < 0.33) & ((y - 0.5).abs() < 0.39) & ~glass  # noqa: PLR2004
    pane = 0.5 + 0.5 * _hash(u.floor(), v.floor(), 43)
    return glass.float() * pane * fade, frame.float() * fade


def _patches(u: Tensor, v: Tensor, fade: Tensor) -> tuple[Tensor, Tensor]:
    coarse = _hash(u.floor(), v.floor(), 47)
    split = (1 + 3 * _hash(u.floor(), v.floor(), 53)).floor()
    fine_u, fine_v = (u * split).floor(), (v * split).floor()
    tone = torch.where(coarse > 0.4, _hash(fine_u, fine_v, 59), coarse)  # noqa: PLR2004
    return 0.5 + (tone - 0.5) * fade, (_hash(fine_u, fine_v, 61) > 0.8).float() * fade  # noqa: PLR2004


def _stones(u: Tensor, v: Tensor, fade: Tensor) -> tuple[Tensor, Tensor]:
    i, j = u.floor(), v.floor()
    best, second, tone = torch.full_like(u, 9.0), torch.full_like(u, 9.0), torch.zeros_like(u)
    for a in (-1, 0, 1):
        for b in (-1, 0, 1):
            x, y = i + a, j + b
            distance = torch.hypot(x + _hash(x, y, 67) - u, y + _hash(x, y, 71) - v)
            is_best = distance < best
            second = torch.where(is_best, best, torch.minimum(second, distance))
            tone = torch.where(is_best, _hash(x, y, 73), tone)
            best = torch.where(is_best, distance, best)
    gap = (second - best < 0.09).float() * fade  # noqa: PLR2004
    return tone * (1 - gap), gap


def _panels(u: Tensor, v: Tensor, fade: Tensor) -> tuple[Tensor, Tensor]:
    x, y = u % 1 - 0.5, v % 1 - 0.5
    ring = torch.maximum(x.abs(), y.abs())
    bevel = ((ring > 0.33) & (ring < 0.38)).float()  # noqa: PLR2004
    return bevel * fade, 0.2 * _fractal(2 * u, 2 * v, fade, 79)


PATTERNS = (
    _plaster,
    _checker,
    _bricks,
    _wood,
    _stripes,
    _tiles,
    _cloudy,
    _letters,
    _dots,
    _marble,
    _windows,
    _patches,
    _stones,
    _panels,
)
"""Each maps u, v and visibility to the shares of the second and the third colour."""
PATTERN_NAMES = tuple(pattern.__name__[1:] for pattern in PATTERNS)


def paint(materials: Materials, index: Tensor, uv: Tensor, footprint: Tensor) -> Tensor:
    """Colour places on surfaces.

    Args:
        materials: of the world.
        index: (R,) int64, material of each place.
        uv: (R, 2) float32, place on the surface in world units.
        footprint: (R,) float32, size of a pixel there in world units.

    Returns:
        (R, 3) float32, linear RGB reflectance.
    """
    cos, sin = materials.angle[index].cos(), materials.angle[index].sin()
    frequency = materials.frequency[index]
    offset = materials.offset[index]
    u = (cos * uv[:, 0] - sin * uv[:, 1]) * frequency + offset[:, 0]
    v = (sin * uv[:, 0] + cos * uv[:, 1]) * frequency + offset[:, 1]
    fade = (1.3 - 1.6 * footprint * frequency).clamp(0, 1)
    pattern = materials.pattern[index]
    second, third = torch.zeros_like(u), torch.zeros_like(u)
    for number in pattern.unique().tolist():
        chosen = (pattern == number).nonzero()[:, 0]
        shares = PATTERNS[number](u[chosen], v[chosen], fade[chosen])
        second[chosen], third[chosen] = shares
    a, b, c = materials.colours[index].unbind(1)  # (R, 3) each
    colour = torch.lerp(a, b, second.clamp(0, 1)[:, None])
    return torch.lerp(colour, c, third.clamp(0, 1)[:, None])
