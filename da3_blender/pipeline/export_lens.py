# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes the distortion of a lens out of the plate: ST-maps, and the plate without it.

Runs in the engine.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..camera_files.result_cameras import drop_lenses, load_cameras
from ..contract.camera_file import write_camera_file
from ..contract.errors import EngineError, ErrorCode
from ..exports.exr_plate import bend_exr
from ..exports.exr_writing import Window, write_exr
from ..exports.resampling import Warp
from ..exports.st_map import find_overscan, make_redistort_map, make_undistort_map
from ..media import save_photo
from .export_plate import iterate_plate
from .export_progress import QUIET
from .photos import name_copies

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..contract.camera_file import CameraFile
    from ..contract.lens import Lens
    from ..contract.result_folder import Result
    from .photos import SupportsReport

_JPEG: Final = (".jpg", ".jpeg")


def export_st_maps(result: Result, out: Path, progress: SupportsReport = QUIET, /) -> Path:
    """Write `undistort.exr` and `redistort.exr`; one pair per picture where the lens changes.

    All pairs have the same overscan, so that a sequence of them has one window.

    Raises:
        EngineError: RESULT_BROKEN; SETTINGS_INVALID, no lens has distortion; DISK_FULL,
            OUTPUT_UNWRITABLE.
    """
    cameras = load_cameras(result)
    lenses = _require_lenses(result, cameras)
    window = find_overscan(lenses.values())
    written: dict[Lens, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
    for row, lens in lenses.items():
        progress.report(row / len(lenses))
        suffix = "" if len(set(lenses.values())) == 1 else f".{_name_row(cameras, row)}"
        if lens in written and not suffix:
            continue
        if lens not in written:
            written = {lens: (make_undistort_map(lens, window), make_redistort_map(lens))}
        size = (lens.width, lens.height)
        undistort, redistort = written[lens]
        _write_map(out / f"undistort{suffix}.exr", undistort, size, window)
        _write_map(out / f"redistort{suffix}.exr", redistort, size, None)
    return out


def _write_map(
    path: Path, values: NDArray[np.float32], size: tuple[int, int], window: Window | None
) -> None:
    write_exr(path, {"R": values[..., 0], "G": values[..., 1]}, size, window)


def _require_lenses(result: Result, cameras: CameraFile) -> dict[int, Lens]:
    """Return the lens of every view.

    Raises:
        EngineError: SETTINGS_INVALID.
    """
    lenses = {row: cameras.lens_of(row) for row in range(len(cameras.views))}
    if not any(lens.distortion_px for lens in lenses.values()):
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"The lens of the result in {result.folder} has no distortion to take out.",
            "Use the plate as it is, or run again with a lens that has distortion.",
        )
    if len({(lens.width, lens.height) for lens in lenses.values()}) > 1:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            "The pictures have several sizes, for which there is no one overscan.",
            "Reconstruct pictures of one size.",
        )
    return lenses


def _name_row(cameras: CameraFile, row: int) -> str:
    view = cameras.views[row]
    return Path(view.name).stem if view.frame is None else f"{view.frame:04d}"


def export_undistorted(
    result: Result, out: Path, progress: SupportsReport = QUIET, /, *, has_overscan: bool = False
) -> Path:
    """Write the plate without distortion, in the format of each picture; return the folder.

    JPEG stays JPEG and EXR stays EXR with all its channels; everything else, also frames of a
    video, becomes PNG with 8 bits. Pictures have the frame of the plate and fit the cameras of
    the result.

    Args:
        result: gives cameras and plate.
        out: folder for the pictures.
        progress: is told of every picture.
        has_overscan: make pictures larger, so that nothing of the plate is cut. EXR files keep
            their frame and get a larger data window; the cameras for the others are in
            `cameras.json` beside them.

    Raises:
        EngineError: RESULT_BROKEN, SETTINGS_INVALID, INPUT_MISSING, INPUT_UNREADABLE,
            INPUT_MISMATCH, DISK_FULL, OUTPUT_UNWRITABLE.
    """
    cameras = load_cameras(result)
    lenses = _require_lenses(result, cameras)
    first = next(iter(lenses.values()))
    window = find_overscan(lenses.values()) if has_overscan else None
    window = window or Window(0, 0, first.width, first.height)
    names = _name_pictures(result)
    warps: dict[Lens, Warp] = {}
    flat = [row for row, name in enumerate(names) if not name.endswith(".exr")]
    for row in sorted(set(lenses) - set(flat)):
        _count(progress, row, names)
        source = Path(result.views[row]["path"])
        bend_exr(source, out / names[row], _find_warp(warps, lenses[row], window), window)
    for row, picture in iterate_plate(result, flat) if flat else ():
        _count(progress, row, names)
        warp = _find_warp(warps, lenses[row], window)
        save_photo(warp.apply(picture), out / names[row])
    if has_overscan and flat:
        _write_cameras(out, cameras, names, window)
    return out


def _count(progress: SupportsReport, row: int, names: list[str]) -> None:
    progress.report(row / len(names), f"{row + 1} of {len(names)} pictures")


def _find_warp(warps: dict[Lens, Warp], lens: Lens, window: Window) -> Warp:
    """Return the warp of a lens; the last one only is kept, for the memory."""
    if lens not in warps:
        warps.clear()
        warps[lens] = Warp(window, lens.pinhole_to_photo)
    return warps[lens]


def _name_pictures(result: Result) -> list[str]:
    """Return names like those of the plate, with the ending of what is written."""
    paths = [Path(view.get("path") or view["name"]) for view in result.views]
    if len({path.name.casefold() for path in paths}) < len(paths):  # a video, or several folders
        return [Path(name).with_suffix(".png").name for name in _name_by_view(result)]
    return [
        path.name
        if path.suffix.lower() in (*_JPEG, ".png")
        else path.with_suffix(".exr" if path.suffix.lower() == ".exr" else ".png").name
        for path in paths
    ]


def _name_by_view(result: Result) -> list[str]:
    from ..contract.views import View

    return name_copies(
        [
            View(str(view["name"]), "", int(view["width"]), int(view["height"]), view.get("frame"))
            for view in result.views
        ]
    )


def _write_cameras(out: Path, cameras: CameraFile, names: list[str], window: Window) -> None:
    """Write the pinholes of pictures with overscan, whose corner is elsewhere."""
    K = cameras.K.copy()
    K[:, :2, 2] -= [window.left, window.top]
    plain = drop_lenses(cameras)
    views = tuple(
        replace(view, name=name, width=window.width, height=window.height)
        for view, name in zip(plain.views, names, strict=True)
    )
    write_camera_file(out / "cameras.json", replace(plain, views=views, K=K))
