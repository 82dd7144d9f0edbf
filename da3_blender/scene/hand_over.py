# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One hand-over: the reconstruction as it stands in the scene, for several programs at once.

Runs in Blender.
"""

from __future__ import annotations

import functools
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ..camera_files.cloud_ply import write_cloud_ply
from ..camera_files.colmap import write_colmap
from ..camera_files.delivery_names import TEMPLATE, find_version, name_delivery
from ..camera_files.nuke_chan import write_chan
from ..camera_files.nuke_script import NukeExtras, write_nuke_script
from ..camera_files.tracks import Tracks
from ..camera_files.transforms_json import write_transforms
from ..contract import names
from ..contract.camera_file import write_camera_file
from ..contract.cameras import from_blender_points, to_blender_points
from ..contract.errors import EngineError, ErrorCode
from ..contract.result_folder import translate_disk_errors
from .hand_over_cameras import list_picture_frames, sample_cameras
from .hand_over_programs import SUFFIXES, export_scene
from .hand_over_result import find_plate, match_result, move_tracks, name_by_photo
from .lookup import list_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bpy.types import Context, Object
    from numpy.typing import NDArray

    from ..contract.camera_file import CameraFile
    from .hand_over_result import Matched

FORMATS: Final = (
    ("ABC", "Alembic", "Cameras, points and meshes (.abc)"),
    ("USD", "USD", "Cameras, points and meshes (.usdc)"),
    ("FBX", "FBX", "Cameras, points and meshes (.fbx)"),
    ("NUKE", "Nuke Script", "Moving camera with plate and geometry (.nk)"),
    ("CHAN", "Nuke .chan", "Moving camera as a table: no principal point, square pixels"),
    ("COLMAP", "COLMAP", "Model with lens and tracks, binary"),
    ("COLMAP_TEXT", "COLMAP Text", "Model with lens and tracks, as text"),
    ("TRANSFORMS", "transforms.json", "nerfstudio and Instant NGP, with the cloud as PLY"),
    ("CAMERAS", "Cameras File", "All numbers as JSON, to run again with these cameras"),
)
_WHAT: Final = {  # part of the file's name, and its ending
    "ABC": ("scene", ".abc"),
    "USD": ("scene", ".usdc"),
    "FBX": ("scene", ".fbx"),
    "NUKE": ("nuke", ".nk"),
    "CHAN": ("camera", ".chan"),
    "COLMAP": ("colmap", ""),
    "COLMAP_TEXT": ("colmap-text", ""),
    "TRANSFORMS": ("transforms", ".json"),
    "CAMERAS": ("cameras", ".json"),
}
_CLOUD: Final = ("points", ".ply")
_NEEDS_MOVE: Final = ("NUKE", "CHAN")


@dataclass(frozen=True)
class HandOver:
    """What is wanted.

    Args:
        folder: for the files; made where it does not exist.
        formats: identifiers of FORMATS.
        shot: name for the files.
        template: of the names, with shot, what and version.
        version: 0 for the first free one.
        with_cloud: also the points.
        with_meshes: also visible meshes.
    """

    folder: Path
    formats: frozenset[str]
    shot: str
    template: str = TEMPLATE
    version: int = 0
    with_cloud: bool = True
    with_meshes: bool = True


@dataclass(frozen=True)
class Delivery:
    """What was written, and sentences about what is not in it."""

    paths: tuple[Path, ...]
    version: int
    notes: tuple[str, ...]


class _Scene:
    """What several formats need, read once and only if needed."""

    def __init__(self, context: Context, root: Object) -> None:
        self.root = root
        self._context = context

    @functools.cached_property
    def sampled(self) -> CameraFile:
        return sample_cameras(self._context, self.root)

    @functools.cached_property
    def matched(self) -> Matched:
        return match_result(self.sampled, self.root, list_picture_frames(self.root))

    @functools.cached_property
    def tracks(self) -> Tracks | None:
        return move_tracks(self.matched, self.root)

    @functools.cached_property
    def cloud(self) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        return read_cloud(self.root)


def hand_over(context: Context, root: Object, wanted: HandOver) -> Delivery:
    """Write all files, or none: they get their names when the last one is complete.

    Args:
        context: of the scene, in Object Mode.
        root: of the reconstruction.
        wanted: formats and names.

    Raises:
        EngineError: INPUT_EMPTY, SETTINGS_INVALID, DISK_FULL, OUTPUT_UNWRITABLE.
    """
    if not wanted.formats:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID, "No format was chosen.", "Choose one or more formats."
        )
    formats, notes = _leave_out_still(root, [key for key, *_ in FORMATS if key in wanted.formats])
    kinds = [_WHAT[key][0] for key in formats]
    version = wanted.version or find_version(wanted.folder, wanted.template, wanted.shot, kinds)
    work = wanted.folder / f".{wanted.shot[:40]}.{os.getpid()}.part".replace("/", "_")
    files = _Files(wanted, version, work)
    scene = _Scene(context, root)
    with translate_disk_errors(wanted.folder):
        is_new = not wanted.folder.exists()
        work.mkdir(parents=True, exist_ok=True)
    try:
        for key in formats:
            notes += _write(context, scene, key, files)
        with translate_disk_errors(wanted.folder):
            paths = tuple(_move_into_place(work, wanted.folder))
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        if is_new:
            shutil.rmtree(wanted.folder, ignore_errors=True)
        raise
    shutil.rmtree(work, ignore_errors=True)
    return Delivery(paths, version, tuple(dict.fromkeys(notes)))


def _leave_out_still(root: Object, formats: list[str]) -> tuple[list[str], list[str]]:
    """Leave out what only a moving camera can have; refuse where nothing is left."""
    if list_picture_frames(root) is not None:
        return formats, []
    left = [key for key in formats if key not in _NEEDS_MOVE]
    if left == formats:
        return formats, []
    title = {key: title for key, title, _ in FORMATS}
    gone = " and ".join(title[key] for key in formats if key in _NEEDS_MOVE)
    if not left:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"{root.name} is made of single photos, and {gone} is for a moving camera.",
            "Choose other formats, or rebuild with one animated camera.",
        )
    return left, [f"{gone} left out: it is for a moving camera."]


class _Files:
    """Where the files of one hand-over are written, and where they will lie."""

    def __init__(self, wanted: HandOver, version: int, work: Path) -> None:
        self.wanted, self._version, self._work = wanted, version, work

    def name(self, what: tuple[str, str]) -> str:
        wanted = self.wanted
        return name_delivery(wanted.template, wanted.shot, what[0], self._version) + what[1]

    def part(self, key: str) -> Path:
        return self._work / self.name(_WHAT[key])

    def final(self, key: str) -> str:
        return (self.wanted.folder / self.name(_WHAT[key])).absolute().as_posix()

    def cloud(self) -> Path:
        return self._work / self.name(_CLOUD)


def _write(context: Context, scene: _Scene, key: str, files: _Files) -> list[str]:
    """Write one format; return notes."""
    wanted, path = files.wanted, files.part(key)
    if key in SUFFIXES:
        export_scene(
            context,
            scene.root,
            key,
            path,
            with_cloud=wanted.with_cloud,
            with_meshes=wanted.with_meshes,
        )
        return []
    writers: dict[str, Callable[[], list[str]]] = {
        "NUKE": lambda: _write_nuke(scene, path, files),
        "CHAN": lambda: _write_chan(scene, path),
        "COLMAP": lambda: _write_colmap(scene, path, wanted, is_text=False),
        "COLMAP_TEXT": lambda: _write_colmap(scene, path, wanted, is_text=True),
        "TRANSFORMS": lambda: _write_transforms(scene, path, files),
        "CAMERAS": lambda: _write_cameras(scene, path),
    }
    return writers[key]()


def _write_nuke(scene: _Scene, path: Path, files: _Files) -> list[str]:
    plate = find_plate(scene.matched)
    geometry = tuple(files.final(key) for key in ("ABC",) if key in files.wanted.formats)
    write_nuke_script(
        path, scene.sampled, NukeExtras(f"{files.wanted.shot}_camera", plate, geometry)
    )
    notes = [] if plate else ["The Nuke script has no plate: its files are not known or numbered."]
    if not geometry:
        notes.append("The Nuke script has no geometry: choose Alembic too.")
    return notes


def _write_chan(scene: _Scene, path: Path) -> list[str]:
    write_chan(path, scene.sampled)
    shift = np.abs(scene.sampled.K[0, :2, 2] * 2 / _get_size(scene.sampled) - 1).max()
    ratio = scene.sampled.K[0, 0, 0] / scene.sampled.K[0, 1, 1]
    is_plain = shift * _get_size(scene.sampled).max() < 1 and abs(ratio - 1) < 1e-3  # noqa: PLR2004
    lost = "The .chan has no principal point and no pixel aspect, which this camera has."
    return [] if is_plain else [lost]


def _get_size(cameras: CameraFile) -> NDArray[np.int64]:
    return np.array([cameras.views[0].width, cameras.views[0].height])


def _write_colmap(scene: _Scene, path: Path, wanted: HandOver, *, is_text: bool) -> list[str]:
    tracks, notes = scene.tracks, []
    if tracks is None and wanted.with_cloud and len(scene.cloud[0]):
        points, colours = scene.cloud
        none = np.zeros(0, np.intp)
        tracks = Tracks(points, colours, np.zeros(len(points)), none, none, np.zeros((0, 2)))
        notes = ["The COLMAP model has the cloud without tracks: the result has none that fit."]
    write_colmap(path, scene.matched.cameras, tracks, is_text=is_text)
    return notes


def _write_transforms(scene: _Scene, path: Path, files: _Files) -> list[str]:
    cloud = ""
    if files.wanted.with_cloud and len(scene.cloud[0]):
        points, colours = scene.cloud
        write_cloud_ply(files.cloud(), to_blender_points(points), colours)
        cloud = files.cloud().name
    write_transforms(path, name_by_photo(scene.matched), "", cloud)
    return []


def _write_cameras(scene: _Scene, path: Path) -> list[str]:
    write_camera_file(path, scene.matched.cameras)
    return []


def read_cloud(root: Object) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Return the points of a reconstruction where the scene has them.

    Returns:
        (M, 3) float64, the scene's world in OpenCV's axes, and (M, 3) uint8 sRGB.
    """
    parts = [_read_points(ob) for ob in list_parts(root, names.ROLE_POINTS)]
    empty = (np.zeros((0, 3)), np.zeros((0, 3), np.uint8))
    points, colours = zip(*[empty, *parts], strict=True)
    return np.concatenate(points), np.concatenate(colours)


def _read_points(ob: Object) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    attributes = ob.data.attributes
    count = len(attributes["position"].data)
    positions = np.empty((count, 3), np.float32)
    attributes["position"].data.foreach_get("vector", positions.ravel())
    matrix = np.array(ob.matrix_world, np.float64)
    world = positions @ matrix[:3, :3].T + matrix[:3, 3]
    colours = np.full((count, 3), np.iinfo(np.uint8).max, np.uint8)
    stored = attributes.get(names.ATTR_COLOUR)
    if stored is not None and stored.data_type == "BYTE_COLOR":
        rgba = np.empty((count, 4), np.float32)
        stored.data.foreach_get("color_srgb", rgba.ravel())
        colours = np.rint(rgba[:, :3] * np.iinfo(np.uint8).max).astype(np.uint8)
    return from_blender_points(world), colours


def _move_into_place(work: Path, folder: Path) -> Iterator[Path]:
    for path in sorted(work.iterdir()):
        final = folder / path.name
        if final.is_dir():
            shutil.rmtree(final)
        path.replace(final)
        yield final
