# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results folders with known truth: cameras on an arc around a cloud of coloured points.

Runs in tests that have bpy; the photos are written by Blender itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

from da3_blender.contract.result_folder import ResultWriter

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (64, 48)


def make_w2c(count: int, turns: float = 0.2) -> np.ndarray:
    """Return (N, 4, 4) cameras on a circle of radius 4 that look at the origin, y down."""
    angles = np.linspace(0, 2 * np.pi * turns, count)
    w2c = np.tile(np.eye(4), (count, 1, 1))
    for pose, angle in zip(w2c, angles, strict=True):
        centre = np.array([4 * np.sin(angle), -0.5, -4 * np.cos(angle)])
        forward = -centre / np.linalg.norm(centre)
        right = np.cross([0.0, 1.0, 0.0], forward)
        right /= np.linalg.norm(right)
        pose[:3, :3] = [right, np.cross(forward, right), forward]
        pose[:3, 3] = -pose[:3, :3] @ centre
    return w2c


def make_K(width: int, height: int, **changes: float) -> np.ndarray:  # noqa: N802
    """Return (3, 3) pixels: focal length 1.2 widths, centred, unless changed."""
    values = {"fx": 1.2 * width, "fy": 1.2 * width, "cx": width / 2, "cy": height / 2, **changes}
    return np.array([[values["fx"], 0, values["cx"]], [0, values["fy"], values["cy"]], [0, 0, 1.0]])


def make_points(count: int, seed: int = 0) -> np.ndarray:
    """Return (M, 3) float32 on a sphere of radius 1."""
    points = np.random.default_rng(seed).normal(size=(count, 3))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def make_colours(count: int) -> np.ndarray:
    """Return (M, 3) uint8 in which every byte occurs."""
    index = np.arange(count)
    return np.stack([index % 256, (255 - index) % 256, (7 * index) % 256], axis=1).astype(np.uint8)


def write_photo(path: Path, size: tuple[int, int] = SIZE, shade: int = 128) -> Path:
    """Write a plain grey photo."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = bpy.data.images.new("photo", *size)
    image.pixels.foreach_set(np.full(4 * size[0] * size[1], shade / 255, np.float32))
    image.file_format = "JPEG" if path.suffix == ".jpg" else "PNG"
    image.filepath_raw = str(path)
    image.save()
    bpy.data.images.remove(image)
    return path


def write_result(folder: Path, views: list[dict[str, Any]], **parts: Any) -> Path:
    """Write a complete results folder.

    Args:
        folder: its place.
        views: entries of the manifest; name, width, height, frame and photo are filled in.
        parts: arrays by name, and `manifest` with keys to change; the rest is synthetic.
    """
    count = parts.pop("count", 500)
    full = [
        {
            "name": f"{index:03d}.jpg",
            "path": "",
            "width": SIZE[0],
            "height": SIZE[1],
            "frame": None,
            "photo": f"photos/{index:03d}.jpg",
            "lens": 0,
            **view,
        }
        for index, view in enumerate(views)
    ]
    arrays = {
        "w2c": make_w2c(len(views)),
        "K": np.stack([make_K(view["width"], view["height"]) for view in full]),
        "points": make_points(count),
        "colours": make_colours(count),
        "confidence": np.linspace(1, 3, count, dtype=np.float32),
        "point_view": (np.arange(count) % len(views)).astype(np.int32),
    }
    manifest = {
        "name": folder.name,
        "source": {"kind": "photos", "path": "", "fps": None},
        "solver": "DA3",
        "views": full,
        "lost": [],
        "lenses": [],
        "notes": [],
        "settings": {},
        **parts.pop("manifest", {}),
    }
    writer = ResultWriter(folder)
    for name, array in {**arrays, **parts}.items():
        if array is not None:
            writer.save_array(name, np.asarray(array))
    writer.finish(manifest)
    return folder


def write_photos_result(folder: Path, count: int = 4, **parts: Any) -> Path:
    """Write a result of single photos, with the photos."""
    write_result(folder, [{} for _ in range(count)], **parts)
    for index in range(count):
        write_photo(folder / "photos" / f"{index:03d}.jpg")
    return folder
