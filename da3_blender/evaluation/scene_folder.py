# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes on disk: one folder with images, cameras, depth maps, masks, a surface and facts.

Runs in the engine. The layout is described in `docs/evaluation.md`.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.errors import EngineError, ErrorCode
from ..contract.result_folder import translate_disk_errors
from ..contract.settings import RunSettings
from ..media import open_source, save_photo
from ..media.data_maps import DEPTH_SUFFIXES, read_depth_map, read_mask
from ..media.listing import list_photos
from ..media.natural_order import natural_key
from .camera_files import CAMERAS_FILE, find_cameras, read_cameras, write_cameras_json
from .clouds import sample_mesh
from .dtu import Observation
from .ply_file import read_ply
from .refusals import LAYOUT_HINT, refuse
from .scene import LazyList, Scene
from .scene_facts import SCENE_FILE, SceneFacts, read_scene_facts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..contract.views import PhotoSource
    from .camera_files import CameraSet

IMAGES, DEPTH, MASKS = "images", "depth", "mask"
SURFACE_FILE: Final = "gt.ply"
OBSERVATION_FILE: Final = "observation.npz"
_SURFACE_SAMPLES: Final = 1_000_000
_SURFACE_SEED: Final = 0
_MARKS: Final = (IMAGES, CAMERAS_FILE, SCENE_FILE, DEPTH)


def find_scenes(folder: Path) -> list[Path]:
    """Return the scenes of a folder: itself if it is one, else those below it.

    Raises:
        EngineError: INPUT_MISSING or INPUT_EMPTY with the path.
    """
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        raise EngineError(
            ErrorCode.INPUT_MISSING, f"{folder} {what}.", "Name a folder of scenes, or one scene."
        )
    if _is_scene(folder):
        return [folder]
    below = [path for path in folder.iterdir() if path.is_dir() and _is_scene(path)]
    if not below:
        raise EngineError(
            ErrorCode.INPUT_EMPTY,
            f"{folder} holds no scene: neither it nor a folder in it has images and "
            f"{CAMERAS_FILE}.",
            LAYOUT_HINT,
        )
    return sorted(below, key=natural_key)


def _is_scene(folder: Path) -> bool:
    """Tell whether a folder means to be a scene, so that what it lacks is worth a sentence."""
    return find_cameras(folder) is not None or any((folder / name).exists() for name in _MARKS)


def read_scene(folder: Path, protocol: str = "") -> Scene:
    """Read a scene; pictures and maps are decoded when they are asked for.

    Args:
        folder: of the scene.
        protocol: name of a set in `scene_facts.PROTOCOLS` for limits that scene.json lacks.

    Raises:
        EngineError: with the path of what is missing, unreadable or does not fit.
    """
    facts = read_scene_facts(folder, protocol)
    cameras = read_cameras(folder)
    photos = _list_photos(folder)
    by_name = {name: index for index, name in enumerate(cameras.names)}
    missing = [name for name in cameras.names if name not in photos]
    if missing:
        raise refuse(
            folder,
            f"{len(missing)} of {len(cameras.names)} cameras have no photo, the first is "
            f"{missing[0]}",
            f"Put the photos into {folder / IMAGES}.",
            ErrorCode.INPUT_MISSING,
        )
    for name in (*facts.leave_out, *([facts.reference] if facts.reference else ())):
        if name not in by_name:
            raise refuse(folder / SCENE_FILE, f"it names {name}, which has no camera")
    used = [name for name in photos if name in by_name and name not in facts.leave_out]
    if facts.reference in used:
        used.insert(0, used.pop(used.index(facts.reference)))
    paths = [photos[name] for name in used]
    chosen = [by_name[name] for name in used]
    photos_source = _open_photos(paths, cameras, chosen)
    notes = list(cameras.notes)
    if len(photos) > len(cameras.names):
        notes.append(f"{len(photos) - len(cameras.names)} photos have no camera and are left out.")
    depth_paths = [_find_map(folder / DEPTH, path, DEPTH_SUFFIXES) for path in paths]
    mask_paths = [_find_map(folder / MASKS, path, (".png",)) for path in paths]
    surface = folder / SURFACE_FILE
    return Scene(
        name=folder.name,
        images=LazyList(len(paths), photos_source.read),
        w2c=cameras.w2c[chosen],
        K=cameras.K[chosen],
        sizes=tuple((int(w), int(h)) for w, h in cameras.sizes[chosen]),
        frame_names=tuple(used),
        depth=_read_maps(depth_paths, facts) if any(depth_paths) else None,
        valid=_read_masks(mask_paths) if any(mask_paths) else None,
        true_points=(lambda: read_surface(surface)) if surface.is_file() else None,
        observation=_read_observation(folder / OBSERVATION_FILE),
        facts=facts,
        paths=tuple(paths),
        notes=tuple(notes),
    )


def read_surface(path: Path) -> NDArray[np.float64]:
    """Return points (M, 3) of a true surface: a cloud as it is, a mesh sampled a million times.

    Raises:
        EngineError: INPUT_UNREADABLE with the path.
    """
    mesh = read_ply(path)
    points = mesh.vertices
    if len(mesh.faces):
        points = sample_mesh(mesh.vertices, mesh.faces, _SURFACE_SAMPLES, _SURFACE_SEED)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        raise refuse(path, "it holds no surface")
    return points


def write_scene(scene: Scene, folder: Path) -> None:
    """Write a scene into a folder, in the layout that `read_scene` reads; pictures as PNG.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE with the path.
    """
    names = [f"{name.rpartition('.')[0] or name}.png" for name in scene.frame_names]
    with translate_disk_errors(folder):
        for part in (IMAGES, DEPTH, MASKS):
            (folder / part).mkdir(parents=True, exist_ok=True)
        for index, name in enumerate(names):
            save_photo(scene.images[index], folder / IMAGES / name)
            depth = None if scene.depth is None else scene.depth[index]
            if depth is not None:
                np.save((folder / DEPTH / name).with_suffix(".npy"), np.asarray(depth, np.float32))
            mask = None if scene.valid is None else scene.valid[index]
            if mask is not None:
                grey = np.where(mask, 255, 0).astype(np.uint8)
                save_photo(np.repeat(grey[..., None], 3, axis=-1), folder / MASKS / name)
        write_cameras_json(folder / CAMERAS_FILE, names, scene.sizes, scene.w2c, scene.K)


def _list_photos(folder: Path) -> dict[str, Path]:
    """Return name -> path of the photos, in the order of a reconstruction."""
    place = folder / IMAGES if (folder / IMAGES).is_dir() else folder
    return {path.name: path for path in list_photos(place)}


def _open_photos(paths: list[Path], cameras: CameraSet, chosen: list[int]) -> PhotoSource:
    """Open the photos of some cameras as a reconstruction does.

    Raises:
        EngineError: a photo cannot be used, or has another size than its camera.
    """
    if not paths:
        raise EngineError(
            ErrorCode.INPUT_EMPTY, "No photo of the scene is left to use.", LAYOUT_HINT
        )
    source = open_source(RunSettings(tuple(map(str, paths)), output="", input_kind="PHOTOS"))
    if source.skipped:
        raise EngineError(
            ErrorCode.INPUT_UNREADABLE,
            source.skipped[0],
            "Mend the photo, or list no camera of it.",
        )
    for view, index in zip(source.views, chosen, strict=True):
        width, height = cameras.sizes[index]
        if (view.width, view.height) != (width, height):
            raise refuse(
                Path(view.path),
                f"it has {view.width} x {view.height} pixels and its camera {width} x {height}",
                "Give the cameras for the photos as they are.",
            )
    return source


def _find_map(folder: Path, photo: Path, suffixes: tuple[str, ...]) -> Path | None:
    """Return the map of a photo, named after it with or without its extension."""
    for suffix in suffixes:
        for name in (photo.stem + suffix, photo.name + suffix):
            if (folder / name).is_file():
                return folder / name
    return None


def _read_maps(paths: list[Path | None], facts: SceneFacts) -> LazyList[NDArray[np.float32] | None]:
    def read(index: int) -> NDArray[np.float32] | None:
        path = paths[index]
        return (
            None if path is None else read_depth_map(path, facts.depth_scale, facts.depth_nothing)
        )

    return LazyList(len(paths), read)


def _read_masks(paths: list[Path | None]) -> LazyList[NDArray[np.bool_] | None]:
    def read(index: int) -> NDArray[np.bool_] | None:
        path = paths[index]
        return None if path is None else read_mask(path)

    return LazyList(len(paths), read)


def _read_observation(path: Path) -> Observation | None:
    """Read what a scanner saw: arrays box, cell, mask and plane."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            box, cell, mask, plane = (file[name] for name in ("box", "cell", "mask", "plane"))
        observation = Observation(
            box.reshape(2, 3).astype(float), float(cell), mask > 0, plane.reshape(4).astype(float)
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        why = f"it does not hold box (2, 3), cell, mask (X, Y, Z) and plane (4,): {error}"
        raise refuse(path, why, code=ErrorCode.INPUT_UNREADABLE) from error
    return observation
