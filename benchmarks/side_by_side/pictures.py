# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures that are measured: the project's samples, and 12-megapixel photos made of them.

Runs in the benchmark's environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

NETWORK_SIZE = (504, 280)
"""Width and height of a 16:9 picture for the network: 720 patches."""
PHOTO_SIZE = (4032, 3024)
_GRAIN = 6.0
"""Noise of a sensor in grey levels; without it an enlarged picture is unnaturally small."""
_QUALITY = 92


def load_network_pictures(samples: Path, count: int) -> list[np.ndarray]:
    """Return samples cut and resized for the network, (280, 504, 3) uint8 each."""
    paths = sorted(samples.glob("*.jpg"))
    return [np.array(_cut(Image.open(paths[i % len(paths)]), NETWORK_SIZE)) for i in range(count)]


def ensure_photos(samples: Path, folder: Path, count: int) -> list[Path]:
    """Return the paths of 12-megapixel JPEG photos (quality 92, 4:2:0); make them if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = sorted(samples.glob("*.jpg"))
    paths = []
    for index in range(count):
        path = folder / f"photo_{index:02d}.jpg"
        if not path.exists():
            pixels = np.array(_cut(Image.open(sources[index % len(sources)]), PHOTO_SIZE))
            grain = np.random.default_rng(index).normal(0, _GRAIN, pixels.shape)
            noisy = np.clip(pixels + grain, 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(path, quality=_QUALITY, subsampling="4:2:0")
        paths.append(path)
    return paths


def _cut(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Cut the middle in the shape of `size` and resize it."""
    width, height = picture.size
    scale = min(width / size[0], height / size[1])
    left, top = (width - scale * size[0]) / 2, (height - scale * size[1]) / 2
    box = (left, top, width - left, height - top)
    return picture.convert("RGB").resize(size, Image.Resampling.LANCZOS, box=box)
