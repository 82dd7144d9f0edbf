# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras and points from matches: COLMAP's incremental mapper.

Runs in COLMAP's child process of the engine.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pycolmap

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from .work_folder import WorkFolder

# Below this many views most tracks have length two, and COLMAP must not leave them out.
_FEW_VIEWS: Final = 4
# Several threads add numbers up in any order, and the same photos may give one of two solutions. Up
# to so many views Ceres takes one thread for its problems anyway, so that one costs no time.
_ONE_THREAD_UP_TO: Final = 24
# Between two snapshots: this long, and this many times as long as the last one took.
_SNAPSHOT_PAUSE_S: Final = 1.0
_SNAPSHOT_PAUSES: Final = 20


def map_cameras(
    folder: WorkFolder,
    options: dict[str, Any],
    tell: Callable[[int], object],
    tell_snapshot: Callable[[int, list[dict[str, Any]]], object],
) -> pycolmap.Reconstruction | None:
    """Place cameras one after another.

    Args:
        folder: holds the database with matches; gets snapshots.
        options: `seed`, `views` (how many there are), and `is_relaxed` to accept a weaker
            first pair.
        tell: called with the number of cameras placed so far.
        tell_snapshot: called now and then, when the model as it is has been written, with the
            number of its cameras and its lenses, see `save_model`.

    Returns:
        The largest model, or None.
    """
    pycolmap.set_random_seed(options["seed"])
    models = pycolmap.ReconstructionManager()
    snapshots = _Snapshots(folder, tell_snapshot)

    def advance() -> None:
        model = models.get(models.size() - 1)
        tell(model.num_reg_images())
        snapshots.offer(model)

    events = pycolmap.IncrementalPipelineCallback
    with pycolmap.Database.open(folder.database) as database:
        pipeline = pycolmap.IncrementalPipeline(_build_options(options), database, models)
        pipeline.add_callback(int(events.INITIAL_IMAGE_PAIR_REG_CALLBACK), advance)
        pipeline.add_callback(int(events.NEXT_IMAGE_REG_CALLBACK), advance)
        pipeline.run()
    return max(
        (models.get(index) for index in range(models.size())),
        key=lambda model: (model.num_reg_images(), model.num_points3D()),
        default=None,
    )


class _Snapshots:
    """Writes the model in progress so rarely that it hardly costs time."""

    def __init__(
        self, folder: WorkFolder, tell: Callable[[int, list[dict[str, Any]]], object]
    ) -> None:
        self._folder = folder
        self._tell = tell
        self._most = 0
        self._next_s = 0.0

    def offer(self, model: pycolmap.Reconstruction) -> None:
        """Write a model that has more cameras than the last one, if it is time."""
        began_s, placed = time.monotonic(), model.num_reg_images()
        if began_s < self._next_s or placed <= self._most or not model.num_points3D():
            return
        lenses = _write_arrays(self._folder, model, self._folder.snapshot)
        self._most = placed
        self._tell(placed, lenses)
        now_s = time.monotonic()
        self._next_s = now_s + max(_SNAPSHOT_PAUSE_S, _SNAPSHOT_PAUSES * (now_s - began_s))


def _build_options(choices: dict[str, Any]) -> pycolmap.IncrementalPipelineOptions:
    options = pycolmap.IncrementalPipelineOptions()
    if choices["views"] <= _ONE_THREAD_UP_TO:
        options.num_threads = 1
    options.extract_colors = False  # there are no picture files here
    options.min_model_size = 2
    options.random_seed = choices["seed"]
    options.mapper.random_seed = choices["seed"]
    options.triangulation.random_seed = choices["seed"]
    options.ba_refine_principal_point = False
    options.ba_refine_focal_length = True
    options.ba_refine_extra_params = True
    if choices["views"] < _FEW_VIEWS:
        options.triangulation.ignore_two_view_tracks = False
    if choices["is_relaxed"]:
        options.mapper.init_min_num_inliers = 30
        options.mapper.init_min_tri_angle = 4.0
        options.mapper.init_max_forward_motion = 0.99
        options.mapper.abs_pose_min_num_inliers = 15
    return options


def save_model(folder: WorkFolder, model: pycolmap.Reconstruction) -> list[dict[str, Any]]:
    """Colour the points and write the model, in COLMAP's format and as arrays.

    Args:
        folder: holds the features; gets the model.
        model: of `map_cameras`; its points get colours.

    Returns:
        Dictionaries for `Lens.from_json`, with the `group` that each belongs to.
    """
    lenses = _write_arrays(folder, model, folder.solution)
    with np.load(folder.solution) as arrays:
        colours = arrays["colours"]
    for number, colour in zip(sorted(model.points3D), colours, strict=True):
        model.points3D[number].color = colour
    folder.sparse.mkdir(exist_ok=True)
    model.write_binary(folder.sparse)
    return lenses


def _write_arrays(
    folder: WorkFolder, model: pycolmap.Reconstruction, path: Path
) -> list[dict[str, Any]]:
    """Write a model as arrays, by rename; return its lenses."""
    arrays = _collect(model)
    arrays["colours"] = average_colours(folder, arrays)
    save_arrays(path, arrays)
    used = set(arrays["group"].tolist())
    numbers = [number for number in sorted(model.cameras) if number - 1 in used]
    return [_describe_lens(model.cameras[number]) for number in numbers]


def save_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write arrays to one file, by rename."""
    part = path.with_name(f"part_{path.name}")
    np.savez(part, **arrays)
    part.replace(path)


def average_colours(folder: WorkFolder, arrays: dict[str, NDArray[Any]]) -> NDArray[np.uint8]:
    """Return the (M, 3) uint8 sRGB mean of the pixels that show each point.

    Args:
        folder: holds the features.
        arrays: `observation_view`, `observation_feature`, `observation_point` and
            `track_length`, see `SparseSolution`.
    """
    view, feature = arrays["observation_view"], arrays["observation_feature"]
    colour = np.empty((len(view), 3))
    for index in np.unique(view):
        with np.load(folder.features(index)) as features:
            colour[view == index] = features["colours"][feature[view == index]]
    point, count = arrays["observation_point"], len(arrays["track_length"])
    total = [np.bincount(point, colour[:, channel], count) for channel in range(3)]
    return np.round(np.stack(total, axis=1) / arrays["track_length"][:, None]).astype(np.uint8)


def _describe_lens(camera: pycolmap.Camera) -> dict[str, Any]:
    return {
        "group": camera.camera_id - 1,
        "model": camera.model_name,
        "params": [float(value) for value in camera.params],
        "width": camera.width,
        "height": camera.height,
    }


def _collect(model: pycolmap.Reconstruction) -> dict[str, NDArray[Any]]:
    """Return a model as arrays; points in the order of their COLMAP ids."""
    numbers = sorted(model.reg_image_ids())
    poses = np.tile(np.eye(4), (len(numbers), 1, 1))
    for row, number in enumerate(numbers):
        poses[row, :3] = model.image(number).cam_from_world().matrix()
    points = [model.points3D[number] for number in sorted(model.points3D)]
    elements = [
        (element.image_id, element.point2D_idx, row)
        for row, point in enumerate(points)
        for element in point.track.elements
    ]
    table = np.array(elements, np.int64).reshape(-1, 3)
    position = np.empty((len(table), 2))
    error = np.empty(len(table))
    xyz = np.array([point.xyz for point in points]).reshape(-1, 3)
    for row, number in enumerate(numbers):
        chosen = np.flatnonzero(table[:, 0] == number)
        image = model.image(number)
        keypoints = image.points2D
        if not len(chosen):  # a first pair may lose all its points
            continue
        position[chosen] = [keypoints[index].xy for index in table[chosen, 1]]
        camera_xyz = xyz[table[chosen, 2]] @ poses[row, :3, :3].T + poses[row, :3, 3]
        seen = model.camera(image.camera_id).img_from_cam(camera_xyz)
        error[chosen] = np.linalg.norm(seen - position[chosen], axis=1)
    return {
        "view": np.array(numbers) - 1,
        "group": np.array([model.image(number).camera_id for number in numbers]) - 1,
        "w2c": poses,
        "points": xyz,
        "track_length": np.bincount(table[:, 2], minlength=len(points)),
        "observation_view": table[:, 0] - 1,
        "observation_feature": table[:, 1],
        "observation_point": table[:, 2],
        "observation_px": position,
        "observation_error_px": error,
    }
