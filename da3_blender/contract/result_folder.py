# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results folder: arrays as .npy, photos, and a manifest that is written last.

Runs in both processes: the engine writes, Blender's side reads. A folder with a manifest is
complete. While it is being written, a result lives in a hidden folder beside its final place,
so a failure leaves the disk as it was.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from .errors import EngineError, ErrorCode
from .names import LOG_FILE, MANIFEST, PHOTOS_FOLDER

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT: Final = 1
KIND: Final = "da3-result"
_MOST_TRIES: Final = 10  # against other runs that take the same name at the same moment
# name -> (dimensions, description); the manifest repeats shape and dtype.
ARRAYS: Final = {
    "w2c": "(N, 4, 4) float64, world-to-camera, OpenCV axes",
    "K": "(N, 3, 3) float64, pixels of the original photo",
    "points": "(M, 3) float32, OpenCV world, scene units",
    "colours": "(M, 3) uint8, sRGB",
    "confidence": "(M,) float32, larger is better",
    "point_view": "(M,) int32, index of the view that a point came from, -1 for several",
    "point_view_count": "(M,) uint16, views that agree on a point, at most 25 are asked",
    "point_moving": "(M,) bool, other views look through the place where the point was",
    "depth": "(D, H, W) float32, along the optical axis, scene units",
    "depth_confidence": "(D, H, W) float32, larger is better",
    "sky": "(D, H, W) bool, where the picture shows sky",
    "grid_from_photo": "(D, 3, 3) float64, pixels of the photo to pixels of the depth map",
    "depth_view": "(D,) int32, index of the view of each depth map; absent where D = N",
    "track_points": "(T, 3) float32, points that several views saw, OpenCV world, scene units",
    "track_colours": "(T, 3) uint8, sRGB",
    "track_error_px": "(T,) float32, mean reprojection error, pixels of the original photos",
    "observation_view": "(L,) int32, index of the view that saw a track",
    "observation_track": "(L,) int32, index of the track",
    "observation_px": "(L, 2) float32, where the photo, distorted as it is, shows it, pixels",
    "splat_positions": "(G, 3) float32, OpenCV world, scene units",
    "splat_scales": "(G, 3) float32, standard deviations along the axes, scene units",
    "splat_rotations": "(G, 4) float32, world_from_axes, wxyz",
    "splat_opacities": "(G,) float32, 0 to 1",
    "splat_harmonics": "(G, 3, 9) float32, coefficients of red, green and blue",
    "splat_view": "(G,) int32, index of the view that a Gaussian came from",
    "splat_confidence": "(G,) float32, that of its pixel, larger is better",
    "splat_border": "(G,) float32, distance of its pixel from the nearest edge, share of that side",
    "splat_far": "(G,) float32, share of the Gaussians of its view that are nearer",
}


@contextmanager
def translate_disk_errors(path: Path) -> Generator[None]:
    """Turn OSErrors of writing into sentences.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE, with the path.
    """
    try:
        yield
    except OSError as error:
        # numpy reports a short write without a number
        is_short_write = error.errno is None and "written" in str(error)
        if is_short_write or error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise EngineError(
                ErrorCode.DISK_FULL,
                f"The disk is full; the result could not be written to {path}.",
                "Free some space or choose a results folder on another disk.",
            ) from error
        raise EngineError(
            ErrorCode.OUTPUT_UNWRITABLE,
            f"The results folder {path} cannot be written ({error.strerror or error}).",
            "Choose a results folder that you may write to.",
        ) from error


def name_work_folder(folder: Path, pid: int) -> Path:
    """Return the hidden folder in which the process `pid` collects the result for `folder`."""
    return folder.with_name(f".{folder.name}.{pid}.part")


def name_old_folder(work: Path) -> Path:
    """Return where the result that is being replaced lies until the new one is in its place."""
    return work.with_suffix(".old")


def find_free_folder(wanted: Path) -> Path:
    """Return `wanted` if nothing is there, else the same name with the next free number."""
    number = 1
    folder = wanted
    while folder.exists():
        number += 1
        folder = wanted.with_name(f"{wanted.name}_{number:03d}")
    return folder


class ResultWriter:
    """Collects one result in a hidden folder and moves it into place when it is complete.

    Args:
        folder: final place; must be absent, empty, or hold an older result (it is replaced).

    Raises:
        EngineError: OUTPUT_UNWRITABLE; the folder holds other files or cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if folder.exists() and not folder.is_dir():
            raise EngineError(
                ErrorCode.OUTPUT_UNWRITABLE,
                f"The results folder {folder} is a file.",
                "Choose another results folder.",
            )
        if folder.is_dir() and any(folder.iterdir()) and not is_result(folder):
            raise EngineError(
                ErrorCode.OUTPUT_UNWRITABLE,
                f"The results folder {folder} holds other files.",
                "Choose an empty or new results folder; nothing of yours is overwritten.",
            )
        self._replaces = is_result(folder)
        self._made = [p for p in folder.parents if not p.exists()]
        self.work = name_work_folder(folder, os.getpid())
        with translate_disk_errors(folder):
            shutil.rmtree(self.work, ignore_errors=True)
            self.work.mkdir(parents=True)
        self._arrays: dict[str, dict[str, Any]] = {}

    def save_array(self, name: str, array: NDArray[Any]) -> None:
        """Write one of ARRAYS.

        Raises:
            EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
        """
        if name not in ARRAYS:
            message = f"{name} is not an array of a result"
            raise ValueError(message)
        array = np.ascontiguousarray(array)
        with translate_disk_errors(self.folder):
            np.save(self.work / f"{name}.npy", array)
        self._arrays[name] = {
            "file": f"{name}.npy",
            "shape": list(array.shape),
            "dtype": str(array.dtype),
            "meaning": ARRAYS[name],
        }

    def finish(self, manifest: dict[str, Any]) -> None:
        """Write the manifest last and move everything into place.

        Raises:
            EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
        """
        content = {"kind": KIND, "format": FORMAT, **manifest, "arrays": self._arrays}
        with translate_disk_errors(self.folder):
            part = self.work / f"{MANIFEST}.part"
            with part.open("w", encoding="utf-8") as file:
                json.dump(content, file, indent=1, ensure_ascii=False, allow_nan=False)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.work / MANIFEST)
            self._move_into_place()

    def _move_into_place(self) -> None:
        """Rename the work folder to its final name, which may have become another one.

        A result that was not there when this run began belongs to another run, perhaps of
        another Blender: it stays, and this one gets the next free name.
        """
        old = name_old_folder(self.work)  # kept until the new result is in place
        wanted = self.folder
        for left in reversed(range(_MOST_TRIES)):
            if self.folder.exists() and not self._replaces and any(self.folder.iterdir()):
                self.folder = find_free_folder(wanted)
            if self.folder.exists():
                self.folder.rename(old)
            try:
                self.work.rename(self.folder)
            except OSError:
                if old.exists() and not self.folder.exists():
                    old.rename(self.folder)
                if self._replaces or not self.folder.exists() or not left:
                    raise
            else:
                break
        shutil.rmtree(old, ignore_errors=True)

    def discard(self) -> None:
        """Remove everything that was written, and parent folders that this writer made."""
        shutil.rmtree(self.work, ignore_errors=True)
        for parent in self._made:
            try:
                parent.rmdir()
            except OSError:  # somebody else uses it by now
                return


def is_result(folder: Path) -> bool:
    """Tell whether a folder holds a complete result of ours."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and cast("dict[str, Any]", content).get("kind") == KIND


@dataclass(frozen=True)
class Result:
    """A complete result on disk; arrays are opened when asked for.

    Args:
        folder: where it lies.
        manifest: parsed manifest.json; `views` is a list of dictionaries (see `View`, plus
            `photo`: the file to show, absolute or relative to the folder, and `lens`).
    """

    folder: Path
    manifest: dict[str, Any]

    @property
    def views(self) -> list[dict[str, Any]]:
        """Dictionaries of the views that have a camera, in the order of w2c and K."""
        return self.manifest["views"]

    def has(self, name: str) -> bool:
        """Tell whether the result has one of ARRAYS."""
        return name in self.manifest["arrays"]

    def load(self, name: str) -> NDArray[Any]:
        """Open one of ARRAYS, memory-mapped and read-only.

        Raises:
            EngineError: RESULT_BROKEN.
        """
        entry = self.manifest["arrays"].get(name)
        if entry is None:
            raise _broken(self.folder, f"it has no {name}")
        try:
            array = np.load(self.folder / entry["file"], mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise _broken(self.folder, f"{entry['file']} cannot be read") from error
        if list(array.shape) != entry["shape"] or str(array.dtype) != entry["dtype"]:
            raise _broken(self.folder, f"{entry['file']} has shape {array.shape}")
        return array

    def photo_path(self, view: dict[str, Any]) -> Path:
        """Return the absolute path of the photo to show behind a view's camera."""
        return self.folder / view["photo"]  # an absolute photo path wins over the folder

    @property
    def photos_folder(self) -> Path:
        """Where converted and undistorted photos lie."""
        return self.folder / PHOTOS_FOLDER

    @property
    def log_path(self) -> Path:
        """The log of the run."""
        return self.folder / LOG_FILE


def load_result(folder: Path) -> Result:
    """Open a results folder.

    Raises:
        EngineError: RESULT_BROKEN; no or damaged manifest, or another format version.
    """
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _broken(folder, f"{MANIFEST} is missing or damaged") from error
    manifest = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
    if manifest.get("kind") != KIND:
        raise _broken(folder, f"{MANIFEST} is not that of a reconstruction")
    if manifest.get("format") != FORMAT:
        raise _broken(
            folder, f"its format is {manifest.get('format')}, this version reads {FORMAT}"
        )
    if not isinstance(manifest.get("views"), list) or not isinstance(manifest.get("arrays"), dict):
        raise _broken(folder, f"{MANIFEST} has no views")
    return Result(folder, manifest)


def _broken(folder: Path, why: str) -> EngineError:
    return EngineError(
        ErrorCode.RESULT_BROKEN,
        f"The result in {folder} cannot be used: {why}.",
        "Run Reconstruct again, or choose another results folder.",
    )
