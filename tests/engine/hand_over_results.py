# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A refined result on disk with known truth: lens, tracks, depth of a tilted plane, pictures."""

import numpy as np
from PIL import Image

from da3_blender.contract.projection import project
from da3_blender.contract.result_folder import ResultWriter, load_result
from tests.contract.camera_truth import SIZE, make_cameras, make_points, make_tracks

GRID = (64, 48)
PLANE = np.array([0.2, -0.1, 1.0])  # of the world: PLANE . x = REACH
REACH = 6.5


def make_plane_depth(K, w2c, pixels):
    """Return the depth of the plane along the axis, at (..., 2) pixels of a pinhole with K."""
    rays = np.concatenate([pixels, np.ones((*pixels.shape[:-1], 1))], -1) @ np.linalg.inv(K).T
    centre = -w2c[:3, :3].T @ w2c[:3, 3]
    slope = rays @ (w2c[:3, :3] @ PLANE)
    return (REACH - PLANE @ centre) / slope


def write_refined_result(folder, *, lens=True, suffix=".png"):
    """Write a sequence of five frames; return the result, its cameras and its tracks.

    The plate lies beside the result; every picture is a smooth pattern of the plane, distorted as
    the lens says. The left quarter of the depth grid is sky.
    """
    cameras = make_cameras(lens=lens)
    tracks = make_tracks(cameras)
    plate = folder.with_name("plate")
    plate.mkdir(parents=True, exist_ok=True)
    grid_from_photo = np.diag([GRID[0] / SIZE[0], GRID[1] / SIZE[1], 1.0])
    columns, rows = np.meshgrid(np.arange(GRID[0]) + 0.5, np.arange(GRID[1]) + 0.5)
    pinhole = np.stack([columns * SIZE[0] / GRID[0], rows * SIZE[1] / GRID[1]], -1)
    depth, views = [], []
    for index, view in enumerate(cameras.views):
        path = plate / view.name.replace(".png", suffix)
        Image.fromarray(paint_photo(cameras, index)).save(path, quality=95)
        depth.append(make_plane_depth(cameras.K[index], cameras.w2c[index], pinhole))
        views.append(
            {
                "name": path.name,
                "path": str(path),
                "width": SIZE[0],
                "height": SIZE[1],
                "frame": view.frame,
                "photo": str(path),
                "lens": view.lens,
                "residual_px": 0.2 + 0.01 * index,
                "needs_copy": False,
            }
        )
    sky = np.zeros((len(views), GRID[1], GRID[0]), bool)
    sky[:, :, : GRID[0] // 4] = True
    writer = ResultWriter(folder)
    arrays = {
        "w2c": cameras.w2c,
        "K": cameras.K,
        "points": make_points().astype(np.float32),
        "colours": np.full((200, 3), 200, np.uint8),
        "confidence": np.ones(200, np.float32),
        "point_view": np.full(200, -1, np.int32),
        "depth": np.array(depth, np.float32),
        "depth_confidence": np.tile(np.float32(columns / GRID[0] + 1), (len(views), 1, 1)),
        "grid_from_photo": np.tile(grid_from_photo, (len(views), 1, 1)),
        "sky": sky,
        "track_points": tracks.points.astype(np.float32),
        "track_colours": tracks.colours,
        "track_error_px": tracks.error_px.astype(np.float32),
        "observation_view": tracks.view.astype(np.int32),
        "observation_track": tracks.track.astype(np.int32),
        "observation_px": tracks.px.astype(np.float32),
    }
    for name, array in arrays.items():
        writer.save_array(name, array)
    writer.finish(
        {
            "name": "shot & co",
            "source": {"kind": "sequence", "path": str(plate), "fps": 24.0},
            "solver": "DA3",
            "views": views,
            "lost": [],
            "lenses": [item.to_json() for item in cameras.lenses],
            "notes": [],
            "settings": {},
            "refinement": measure_refinement(cameras, tracks),
        }
    )
    return load_result(folder), cameras, tracks


def measure_refinement(cameras, tracks):
    """Return what a run says about refined cameras."""
    error = np.empty(len(tracks.view))
    for index in range(len(cameras.views)):
        mine = tracks.view == index
        lens = cameras.lens_of(index)
        at = project(tracks.points[tracks.track[mine]], cameras.K[index], cameras.w2c[index])[0]
        error[mine] = np.linalg.norm(lens.pinhole_to_photo(at) - tracks.px[mine], axis=1)
    views = [error[tracks.view == index] for index in range(len(cameras.views))]
    return {
        "mean_px": float(error.mean()),
        "median_px": float(np.median(error)),
        "start_px": 4.5,
        "views": [
            {"mean_px": float(e.mean()), "worst_px": float(e.max()), "points": len(e)}
            for e in views
        ],
        "focal": [{"px": float(cameras.K[0, 0, 0]), "sigma_px": 0.7}],
        "unplaced": [],
    }


def paint_photo(cameras, index):
    """Return the picture of the plane, (H, W, 3) uint8."""
    columns, rows = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    at = cameras.lens_of(index).photo_to_pinhole(np.stack([columns, rows], -1))
    return paint_at(cameras, index, np.nan_to_num(at))


def paint_at(cameras, index, pinhole):
    """Return the colours of the plane at (..., 2) pixels of the pinhole, uint8."""
    K, w2c = cameras.K[index], cameras.w2c[index]
    depth = make_plane_depth(K, w2c, pinhole)[..., None]
    rays = np.concatenate([pinhole, np.ones_like(depth)], -1) @ np.linalg.inv(K).T
    world = (rays * depth - w2c[:3, 3]) @ w2c[:3, :3]
    waves = np.sin(world * [1.7, 2.1, 1.3])
    return (127.5 + 100 * waves).astype(np.uint8)
