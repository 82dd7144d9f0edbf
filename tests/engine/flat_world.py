# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A painted wall seen by a few cameras: exact depth, colours and poses, and a results folder.

Runs in tests of the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from da3_blender.contract.result_folder import ResultWriter

if TYPE_CHECKING:
    from pathlib import Path

PHOTO = (160, 120)
GRID = (80, 60)
WALL = 5.0  # z of the wall, OpenCV world


def make_cameras(count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, 3, 3) K in pixels of the photo and (N, 4, 4) w2c, on an arc before the wall."""
    width, height = PHOTO
    K = np.array([[150.0, 0, width / 2], [0, 150.0, height / 2], [0, 0, 1]])
    w2c = np.tile(np.eye(4), (count, 1, 1))
    for pose, x in zip(w2c, np.linspace(-1.5, 1.5, count), strict=True):
        centre = np.array([x, -0.3 + 0.2 * x**2, 0.1 * x])
        forward = np.array([0, 0, WALL]) - centre
        forward /= np.linalg.norm(forward)
        right = np.cross([0.0, 1.0, 0.0], forward)
        right /= np.linalg.norm(right)
        pose[:3, :3] = [right, np.cross(forward, right), forward]
        pose[:3, 3] = -pose[:3, :3] @ centre
    return np.tile(K, (count, 1, 1)), w2c


def trace(K: np.ndarray, w2c: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return (H, W) float32 depth and (H, W, 3) uint8 colours of one view."""
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(K).T @ w2c[:3, :3]
    eye = -w2c[:3, :3].T @ w2c[:3, 3]
    depth = (WALL - eye[2]) / rays[..., 2]
    return depth.astype(np.float32), paint(eye + depth[..., None] * rays)


def paint(points: np.ndarray) -> np.ndarray:
    """Return (..., 3) uint8: smooth colours that tell where on the wall a point is."""
    waves = [np.sin(points[..., 0]), np.cos(0.7 * points[..., 1]), np.sin(points[..., 0] / 2)]
    return np.clip(128 + 90 * np.stack(waves, -1), 0, 255).astype(np.uint8)


def write_result(
    folder: Path, count: int = 6, *, has_depth: bool = True, **arrays: np.ndarray
) -> Path:
    """Write a complete results folder whose photos lie in it.

    Args:
        folder: its place.
        count: number of views.
        has_depth: with depth maps.
        arrays: in place of the true ones.
    """
    K, w2c = make_cameras(count)
    grid = np.tile(np.diag([GRID[0] / PHOTO[0], GRID[1] / PHOTO[1], 1.0]), (count, 1, 1))
    depth = np.stack([trace(g @ k, p, GRID)[0] for g, k, p in zip(grid, K, w2c, strict=True)])
    writer = ResultWriter(folder)
    (writer.work / "photos").mkdir()
    views = []
    for index in range(count):
        name = f"{index:02d}.png"
        Image.fromarray(trace(K[index], w2c[index], PHOTO)[1]).save(writer.work / "photos" / name)
        view = {"name": name, "path": f"/gone/{name}", "width": PHOTO[0], "height": PHOTO[1]}
        views.append({**view, "frame": None, "photo": f"photos/{name}", "lens": -1})
    values = {
        "w2c": w2c,
        "K": K,
        "points": np.zeros((4, 3), np.float32),
        "colours": np.zeros((4, 3), np.uint8),
        "confidence": np.ones(4, np.float32),
        "point_view": np.zeros(4, np.int32),
    }
    if has_depth:
        values |= {"depth": depth, "depth_confidence": make_confidence(count)}
        values["grid_from_photo"] = grid
    for name, value in (values | arrays).items():
        writer.save_array(name, value)
    settings = {"inputs": ["/gone"], "output": str(folder), "drop_percent": 40.0}
    source = {"kind": "photos", "path": "/gone", "fps": None}
    writer.finish(
        {"name": "wall", "source": source, "solver": "DA3", "views": views, "lost": [],
         "lenses": [], "notes": [], "settings": settings, "is_metric": False}
    )  # fmt: skip
    return folder


def make_confidence(count: int) -> np.ndarray:
    """Return (N, H, W) float32 that rises from left to right, from 1 to 2."""
    row = np.linspace(1, 2, GRID[0], dtype=np.float32)
    return np.broadcast_to(row, (count, GRID[1], GRID[0])).copy()
