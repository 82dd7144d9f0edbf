# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine for pictures of the panel: the real worker with a pipeline that is quick and known.

Runs in any Python that has numpy; the scenario starts it in place of the engine. It ray-traces a
few spheres on a floor, so photos, cameras and points agree exactly. A folder whose name has
`few` in it fails.
"""

from __future__ import annotations

import struct
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.projection import unproject
from da3_blender.contract.result_folder import ResultWriter
from da3_blender.worker.loop import serve

if TYPE_CHECKING:
    from da3_blender.contract.progress import Progress
    from da3_blender.contract.settings import RunSettings

VIEWS = 10
SIZE = (480, 320)
FLOOR_RADIUS = 3
DOUBTFUL = 6
STAGES = (("Reading photos", 1.0), ("Finding cameras", 4.0), ("Making points", 2.0))
# centre (OpenCV: y down), radius, colour
BALLS = (
    ((-1.1, -0.6, 0.2), 0.6, (214, 72, 56)),
    ((0.4, -0.45, -0.5), 0.45, (60, 140, 210)),
    ((1.2, -0.8, 0.8), 0.8, (236, 180, 60)),
    ((0.1, -0.3, 1.1), 0.3, (110, 180, 90)),
)


def make_cameras() -> tuple[np.ndarray, np.ndarray]:
    """Return (N, 3, 3) K and (N, 4, 4) w2c on an arc around the balls."""
    width, height = SIZE
    K = np.array([[1.1 * width, 0, width / 2], [0, 1.1 * width, height / 2], [0, 0, 1]])
    w2c = np.tile(np.eye(4), (VIEWS, 1, 1))
    for pose, angle in zip(w2c, np.linspace(-1.1, 1.1, VIEWS), strict=True):
        centre = np.array([5 * np.sin(angle), -2.0, -5 * np.cos(angle)])
        forward = np.array([0, -0.4, 0]) - centre
        forward /= np.linalg.norm(forward)
        right = np.cross([0.0, 1.0, 0.0], forward)
        right /= np.linalg.norm(right)
        pose[:3, :3] = [right, np.cross(forward, right), forward]
        pose[:3, 3] = -pose[:3, :3] @ centre
    return np.tile(K, (VIEWS, 1, 1)), w2c


def trace(K: np.ndarray, w2c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (H, W) depth, infinite in the sky, and (H, W, 3) uint8 colours of one view."""
    width, height = SIZE
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(K).T @ w2c[:3, :3]
    eye = -w2c[:3, :3].T @ w2c[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = -eye[1] / rays[..., 1]
    floor = eye + depth[..., None] * rays
    is_floor = (depth > 0) & (np.hypot(floor[..., 0], floor[..., 2]) < FLOOR_RADIUS)
    depth = np.where(is_floor, depth, np.inf)
    checks = (np.floor(floor[..., 0] * 2) + np.floor(floor[..., 2] * 2)) % 2
    colours = np.where(is_floor, 150 + 60 * checks, 205)[..., None] * np.array([1.0, 0.96, 0.9])
    for centre, radius, colour in BALLS:
        offset = eye - np.array(centre)
        a, b = (rays**2).sum(-1), rays @ offset
        root = b**2 - a * (offset @ offset - radius**2)
        with np.errstate(invalid="ignore"):
            hit = (-b - np.sqrt(root)) / a
        is_near = (root > 0) & (hit > 0) & (hit < depth)
        depth = np.where(is_near, hit, depth)
        normal = (eye + np.where(is_near, hit, 0)[..., None] * rays - centre) / radius
        light = 0.55 + 0.45 * np.clip(normal @ np.array([-0.5, -0.75, -0.43]), -1, 1)
        colours = np.where(is_near[..., None], light[..., None] * np.array(colour), colours)
    return depth, np.clip(colours, 0, 255).astype(np.uint8)


def write_png(path: Path, picture: np.ndarray) -> None:
    """Write (H, W, 3) uint8."""
    height, width, _ = picture.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), picture.reshape(height, -1)], 1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(rows.tobytes())) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + body)


def write_demo(folder: Path, kind: str = "photos", step: int = 1) -> int:
    """Write a complete results folder; return the number of points.

    Args:
        folder: its place.
        kind: photos, or sequence for numbered frames.
        step: use every n-th pixel; 7 makes a sparse cloud.
    """
    K, w2c = make_cameras()
    writer = ResultWriter(folder)
    (writer.work / "photos").mkdir()
    points, colours, origin, views, maps = [], [], [], [], []
    for index in range(VIEWS):
        depth, picture = trace(K[index], w2c[index])
        name = f"balls_{3 * index + 1:04d}.png"
        write_png(writer.work / "photos" / name, picture)
        world = unproject(depth[None], K[index : index + 1], w2c[index : index + 1])[0]
        kept = np.isfinite(world).all(-1)
        points.append(world[kept][::step])
        colours.append(picture[kept][::step])
        origin.append(np.full(len(points[-1]), index, np.int32))
        frame = 3 * index + 1 if kind == "sequence" else None
        view = {"name": name, "path": name, "width": SIZE[0], "height": SIZE[1], "lens": 0}
        doubt = "its points are 4.2 px off, usual here are 0.6" if index == DOUBTFUL else ""
        view |= {"frame": frame, "photo": f"photos/{name}", "residual_px": None, "doubt": doubt}
        views.append(view)
        maps.append(np.where(np.isfinite(depth), depth, 0).astype(np.float32))
    cloud = np.concatenate(points)
    arrays = {"w2c": w2c, "K": K, "points": cloud, "colours": np.concatenate(colours)}
    arrays |= {"confidence": np.ones(len(cloud), np.float32), "point_view": np.concatenate(origin)}
    arrays |= {"depth": np.stack(maps), "depth_confidence": np.ones((VIEWS, *SIZE[::-1]))}
    arrays["depth_confidence"] = arrays["depth_confidence"].astype(np.float32)
    arrays["grid_from_photo"] = np.tile(np.eye(3), (VIEWS, 1, 1))
    for name, array in arrays.items():
        writer.save_array(name, array)
    source = {"kind": kind, "path": "", "fps": 25.0 if kind == "sequence" else None}
    manifest = {"name": "balls", "source": source, "solver": "DA3", "model": "da3-base"}
    manifest |= {"views": views, "lost": ["balls_0031.png"], "lenses": [], "notes": []}
    writer.finish({**manifest, "settings": {}})
    return len(cloud)


def show_found(progress: Progress, folder: Path, count: int) -> None:
    """Show the first cameras, and the points that the first of them sees."""
    K, w2c = make_cameras()
    depth, picture = trace(K[0], w2c[0])
    world = unproject(depth[None], K[:1], w2c[:1])[0]
    kept = np.isfinite(world).all(-1)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "found.npz"
    points, colours = world[kept][::3][: 2500 * count], picture[kept][::3][: 2500 * count]
    np.savez(path, w2c=w2c[:count], K=K[:count], points=points, colours=colours)
    found = {"cameras": count, "views": VIEWS + 1, "points": len(points), "file": str(path)}
    progress.show(found)


class DemoPipeline:
    """Takes a few seconds, so that there is progress to look at."""

    def check(self, _settings: RunSettings, progress: Progress) -> dict[str, Any]:
        """Doubt two of the photos."""
        progress.plan([("Looking at the photos", 1.0)])
        progress.begin("Looking at the photos")
        for index in range(VIEWS):
            time.sleep(0.1)
            progress.report((index + 1) / VIEWS, f"{index + 1} of {VIEWS} photos", force=True)
        findings = [
            {
                "name": "balls_0004.png",
                "kind": "blurred",
                "text": "looks blurred: its edges are 3.4 times as wide as usual",
            },
            {
                "name": "balls_0009.png",
                "kind": "doubled",
                "text": "is the same picture as balls_0008.png",
            },
        ]
        size = {"width": SIZE[0], "height": SIZE[1]}
        return {"folder": "", "views": VIEWS + 1, **size, "findings": findings}

    def run(self, settings: RunSettings, progress: Progress) -> dict[str, Any]:
        """Fail for a folder of few photos, otherwise trace the balls."""
        progress.plan(STAGES)
        for stage, share in STAGES:
            progress.begin(stage)
            for index in range(VIEWS):
                time.sleep(share / VIEWS)
                if stage == STAGES[1][0] and index > 0:
                    show_found(progress, Path(settings.output).parent, index + 1)
                progress.report((index + 1) / VIEWS, f"{index + 1} of {VIEWS} photos", force=True)
            if "few" in settings.inputs[0]:
                raise EngineError(
                    ErrorCode.INPUT_TOO_FEW,
                    f"Only 1 photo can be read in {Path(settings.inputs[0]).name}.",
                    "Choose a folder with at least 2 photos of the same place.",
                )
        progress.note("1 of 11 photos got no camera: balls_0031.png")
        points = write_demo(Path(settings.output))
        facts = {"views": VIEWS + 1, "cameras": VIEWS, "points": points, "solver": "demo"}
        return {"folder": settings.output, "seconds": 7.0, **facts}

    def abandon(self) -> None:
        """Nothing is left behind: the result is written at once."""


if __name__ == "__main__":
    serve(DemoPipeline)
