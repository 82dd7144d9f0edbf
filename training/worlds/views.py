# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views of a synthetic world with the truth about them: what training and tests use.

Runs in the environment `training`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .caster import render
from .photos import develop
from .places import make_world
from .viewpoints import place_cameras

_RAY_PIXELS_PER_PATCH = 8
_PATCH_SIZE = 14


class Views(NamedTuple):
    """Some views of one world.

    Attributes:
        images: (N, H, W, 3) uint8 sRGB.
        depth: (N, H, W) float32, world units along the optical axis; 0 for sky.
        sky: (N, H, W) bool.
        w2c: (N, 4, 4) float32, OpenCV world-to-camera; the world has z up.
        K: (N, 3, 3) float32, pixels.
    """

    images: Tensor
    depth: Tensor
    sky: Tensor
    w2c: Tensor
    K: Tensor


@torch.no_grad()
def make_views(
    seed: int, count: int, size: tuple[int, int], *, has_photo_faults: bool = True
) -> Views:
    """Make a world and look at it; the same arguments give the same result.

    Args:
        seed: any non-negative number; chooses the world, the cameras and the photos.
        count: number of views N.
        size: height and width of the pictures.
        has_photo_faults: noise, blur, changing exposure and white balance.

    Returns:
        Pictures and truth.
    """
    world = make_world(seed)
    random = np.random.default_rng((seed, 2))
    cameras = place_cameras(world, count, size, random)
    rendered = [render(world, *camera, size) for camera in zip(*cameras, strict=True)]
    colour = torch.stack([view.colour for view in rendered])
    depth = torch.stack([view.depth for view in rendered])
    images = develop(colour, random, has_faults=has_photo_faults)
    return Views(images, depth, depth == 0, *cameras)


def make_ray_maps(w2c: Tensor, K: Tensor, size: tuple[int, int]) -> Tensor:
    """Make the ray maps that the network predicts.

    Args:
        w2c: (..., 4, 4) float32, OpenCV world-to-camera.
        K: (..., 3, 3) float32, pixels of an image of `size`.
        size: height and width, multiples of 14.

    Returns:
        (..., 8h, 8w, 6) float32 for h x w patches: direction with z = 1 in the camera's frame,
        then the camera's centre, both in the world's frame; at the centres of 8h x 8w cells.
    """
    rows, columns = (side // _PATCH_SIZE * _RAY_PIXELS_PER_PATCH for side in size)
    y, x = torch.meshgrid(
        (torch.arange(rows, device=K.device) + 0.5) * (size[0] / rows),
        (torch.arange(columns, device=K.device) + 0.5) * (size[1] / columns),
        indexing="ij",
    )
    focal_x, focal_y = K[..., 0, 0, None, None], K[..., 1, 1, None, None]
    x = (x - K[..., 0, 2, None, None]) / focal_x  # (..., 8h, 8w)
    y = (y - K[..., 1, 2, None, None]) / focal_y
    local = torch.stack((x, y, torch.ones_like(x)), -1)
    rotation = w2c[..., :3, :3]
    # a row vector times R is R^T times the column: camera to world
    direction = (local.flatten(-3, -2) @ rotation).unflatten(-2, (rows, columns))
    centre = -(rotation.transpose(-1, -2) @ w2c[..., :3, 3:])[..., 0]
    return torch.cat((direction, centre[..., None, None, :].expand_as(direction)), -1)
