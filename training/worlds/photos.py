# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From light to picture: exposure, white balance, blur, noise, 8 bits.

Runs in the environment `training`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from numpy.random import Generator

_SRGB_KNEE = 0.0031308
_KERNEL_SIDE = 5


def develop(colour: Tensor, random: Generator, *, has_faults: bool = True) -> Tensor:
    """Turn the light of the views of one scene into photos.

    Args:
        colour: (N, H, W, 3) float32, linear RGB.
        random: source of all choices.
        has_faults: change exposure and white balance from view to view, blur, add noise.

    Returns:
        (N, H, W, 3) uint8 sRGB.
    """
    count = len(colour)
    level = colour.mean().clamp_min(1e-3)
    target = random.uniform(0.14, 0.42) if has_faults else 0.25
    gain = torch.full((count, 1), float(target / level))
    if not has_faults:
        return _encode(colour * gain[:, :, None, None])
    balance = 2 ** random.normal(0, 0.1, (1, 3)) * 2 ** random.normal(0, 0.02, (count, 3))
    if random.random() < 0.3:  # noqa: PLR2004  automatic exposure of each photo
        balance = balance * 2 ** random.normal(0, 0.3, (count, 1))
    gain = gain * torch.from_numpy(balance).float()
    light = colour * gain[:, None, None, :]
    light = light * _make_vignette(colour.shape[1:3], random.uniform(0, 0.35))
    if random.random() < 0.7:  # noqa: PLR2004
        light = _blur(light, random.uniform(0.3, 0.9))
    strength = random.uniform(0, 0.035)
    if strength > 0.005:  # noqa: PLR2004
        generator = torch.Generator().manual_seed(int(random.integers(2**62)))
        noise = torch.randn(light.shape, generator=generator)
        light = light + strength * noise * (light.clamp_min(0) + 0.02).sqrt()
    return _encode(light, contrast=random.uniform(0.85, 1.2), saturation=random.uniform(0.6, 1.25))


def _encode(light: Tensor, contrast: float = 1.0, saturation: float = 1.0) -> Tensor:
    """Compress highlights, go to sRGB and to 8 bits."""
    light = light.clamp_min(0)
    light = torch.where(light > 0.7, 0.7 + 0.3 * torch.tanh((light - 0.7) / 0.3), light)  # noqa: PLR2004
    value = torch.where(
        light <= _SRGB_KNEE,
        12.92 * light,
        1.055 * light.clamp_min(_SRGB_KNEE) ** (1 / 2.4) - 0.055,
    )
    grey = value.mean(-1, keepdim=True)
    value = (grey + saturation * (value - grey) - 0.5) * contrast + 0.5
    return (value * 255).round().clamp(0, 255).to(torch.uint8)


def _make_vignette(size: tuple[int, int], strength: float) -> Tensor:
    """Return (H, W, 1) factors that darken the corners."""
    y, x = (torch.linspace(-1, 1, side) for side in size)
    return (1 - strength * (y[:, None] ** 2 + x**2) / 2)[:, :, None]


def _blur(light: Tensor, sigma: float) -> Tensor:
    place = torch.arange(_KERNEL_SIDE, dtype=torch.float32) - _KERNEL_SIDE // 2
    kernel = torch.exp(-0.5 * (place / sigma) ** 2)
    kernel = kernel / kernel.sum()
    x = light.movedim(-1, 1).flatten(0, 1)[:, None]  # (N*3, 1, H, W)
    reach = _KERNEL_SIDE // 2
    x = functional.pad(x, (reach, reach, reach, reach), mode="replicate")
    x = functional.conv2d(x, kernel[None, None, None])
    x = functional.conv2d(x, kernel[None, None, :, None])
    return x[:, 0].unflatten(0, (-1, 3)).movedim(1, -1).contiguous()
