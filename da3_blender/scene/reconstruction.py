# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A result that has been checked and can be built without surprises.

Runs in Blender.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..contract.errors import EngineError, ErrorCode
from ..contract.views import SourceKind
from ..splats.result_arrays import load_splats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..contract.result_folder import Result
    from ..splats.cloud import GaussianCloud


@dataclass(frozen=True)
class PhotoView:
    """One pose: a photo or a frame.

    Args:
        name: file name, or `clip.mp4#000120` for a frame of a video.
        photo: absolute path of the picture, sequence frame or video to show.
        width: pixels of the original photo.
        height: pixels.
        frame: number on the time line, or None.
        doubt: why its camera or depth is doubtful, in words; "" if it is not.
    """

    name: str
    photo: Path
    width: int
    height: int
    frame: int | None
    doubt: str = ""


class DepthMaps(NamedTuple):
    """Depth of views on one grid: of all, or of keyframes.

    depth, confidence: (D, H, W) float32, scene units, larger is better; grid_from_photo:
    (D, 3, 3) float64, pixels of the photo to pixels of the grid; sky: (D, H, W) bool or None;
    views: (D,) the view of each map, ascending.
    """

    depth: NDArray[np.float32]
    confidence: NDArray[np.float32]
    grid_from_photo: NDArray[np.float64]
    sky: NDArray[np.bool_] | None
    views: NDArray[np.intp]


@dataclass(frozen=True)
class Reconstruction:
    """Arrays and views that fit together.

    Args:
        folder: the results folder.
        name: for the collection.
        kind: photos, sequence or video.
        fps: frames per second of the source, or None.
        views: N views.
        w2c: (N, 4, 4) float64, world-to-camera, OpenCV axes.
        K: (N, 3, 3) float64, pixels of the original photos.
        points: (M, 3) float32, OpenCV world, scene units, all finite.
        colours: (M, 3) uint8, sRGB.
        confidence: (M,) float32, larger is better.
        point_view: (M,) int32, index of a view or -1.
        point_view_count: (M,) int32, views that agree on a point, or None for older results.
        point_moving: (M,) bool, points that moved through the scene, or None if none did.
        notes: sentences about what had to be left out.
        maps: depth maps, or None where nobody made any.
        splats: Gaussians, OpenCV world, scene units, or None.
        facts: plain values for the panel: solver, model, is_metric, lost.
        input_key: tells what was reconstructed; "" if the result does not know.
    """

    folder: Path
    name: str
    kind: SourceKind
    fps: float | None
    views: tuple[PhotoView, ...]
    w2c: NDArray[np.float64]
    K: NDArray[np.float64]
    points: NDArray[np.float32]
    colours: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    point_view: NDArray[np.int32]
    notes: tuple[str, ...]
    point_view_count: NDArray[np.int32] | None = None
    point_moving: NDArray[np.bool_] | None = None
    maps: DepthMaps | None = None
    splats: GaussianCloud | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    input_key: str = ""


def read_reconstruction(result: Result) -> Reconstruction:
    """Open the arrays of a result and check that they fit together.

    Raises:
        EngineError: RESULT_BROKEN, with the folder and the reason.
    """
    source = _require_mapping(result, "source")
    views = tuple(_read_view(result, index, view) for index, view in enumerate(result.views))
    if not views:
        raise _broken(result, "it has no cameras")
    w2c = np.asarray(result.load("w2c"), np.float64)
    K = np.asarray(result.load("K"), np.float64)
    _check_shape(result, "w2c", w2c, (len(views), 4, 4))
    _check_shape(result, "K", K, (len(views), 3, 3))
    if not (np.isfinite(w2c).all() and np.isfinite(K).all()):
        raise _broken(result, "a camera has numbers that are not finite")
    if not ((K[:, 0, 0] > 0).all() and (K[:, 1, 1] > 0).all()):
        raise _broken(result, "a focal length is not positive")
    points, colours, confidence, point_view, notes = _read_points(result)
    kinds = {kind.value: kind for kind in SourceKind}
    fps = source.get("fps")
    return Reconstruction(
        folder=result.folder,
        name=str(result.manifest.get("name") or result.folder.name),
        kind=kinds.get(str(source.get("kind")), SourceKind.PHOTOS),
        fps=float(fps) if isinstance(fps, (int, float)) and fps > 0 else None,
        views=views,
        w2c=w2c,
        K=K,
        points=points,
        colours=colours,
        confidence=confidence,
        point_view=point_view,
        notes=notes,
        **_read_votes(result),
        maps=_read_maps(result, len(views)),
        splats=load_splats(result),
        facts=_read_facts(result),
        input_key=_read_input_key(result),
    )


def make_input_key(inputs: Sequence[str]) -> str:
    """Return a text that is the same for the same input: a path, or a path and a fingerprint."""
    if len(inputs) <= 1:
        return inputs[0] if inputs else ""
    check = zlib.crc32("\n".join(sorted(inputs)).encode("utf-8", "surrogatepass"))
    return f"{Path(inputs[0]).parent}|{len(inputs)}:{check:08x}"


def _read_input_key(result: Result) -> str:
    settings = result.manifest.get("settings")
    inputs = settings.get("inputs") if isinstance(settings, dict) else None
    return make_input_key([str(path) for path in inputs]) if isinstance(inputs, list) else ""


def _read_facts(result: Result) -> dict[str, Any]:
    manifest = result.manifest
    lost = manifest.get("lost")
    refinement = manifest.get("refinement")
    refined = {}
    if isinstance(refinement, dict):  # how far points are off, in pixels of the plate
        refined = {"error_px": float(refinement["mean_px"])}
    settings = manifest.get("settings")
    known = isinstance(settings, dict) and bool(settings.get("known_cameras"))
    return refined | {
        "has_known_cameras": known,
        "solver": str(manifest.get("solver") or ""),
        "model": str(manifest.get("model") or ""),
        "is_metric": bool(manifest.get("is_metric")),
        "lost": [str(name) for name in lost] if isinstance(lost, list) else [],
    }


def _read_maps(result: Result, count: int) -> DepthMaps | None:
    if not (result.has("depth") and result.has("grid_from_photo")):
        return None
    depth = result.load("depth")
    views = np.arange(count)
    if result.has("depth_view"):
        views = np.asarray(result.load("depth_view"), np.intp)
        if not (len(views) and (np.diff(views) > 0).all() and 0 <= views[0] <= views[-1] < count):
            raise _broken(result, "its depth maps belong to views that it does not have")
    count = len(views)
    shape = (count, *depth.shape[1:])
    _check_shape(result, "depth", depth, shape)
    grid = np.asarray(result.load("grid_from_photo"), np.float64)
    _check_shape(result, "grid_from_photo", grid, (count, 3, 3))
    confidence = np.broadcast_to(np.float32(1), shape)
    if result.has("depth_confidence"):
        confidence = result.load("depth_confidence")
        _check_shape(result, "depth_confidence", confidence, shape)
    sky = result.load("sky") if result.has("sky") else None
    if sky is not None:
        _check_shape(result, "sky", sky, shape)
    return DepthMaps(depth, confidence, grid, sky, views)


def _read_view(result: Result, index: int, view: Any) -> PhotoView:  # noqa: ANN401 - from JSON
    try:
        width, height = int(view["width"]), int(view["height"])
        frame = view.get("frame")
        photo = PhotoView(
            name=str(view["name"]),
            photo=result.photo_path(view).resolve(),
            width=width,
            height=height,
            frame=None if frame is None else int(frame),
            doubt=str(view.get("doubt") or ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _broken(result, f"view {index} of the manifest is damaged") from error
    if width <= 0 or height <= 0:
        raise _broken(result, f"view {index} has a size of {width} x {height}")
    return photo


def _read_points(result: Result) -> tuple[Any, Any, Any, Any, tuple[str, ...]]:
    if not result.has("points"):
        empty = np.zeros((0, 3), np.float32)
        return empty, empty.astype(np.uint8), empty[:, 0], empty[:, 0].astype(np.int32), ()
    points = np.asarray(result.load("points"), np.float32)
    count = len(points)
    _check_shape(result, "points", points, (count, 3))
    colours = np.full((count, 3), 255, np.uint8)
    if result.has("colours"):
        colours = np.asarray(result.load("colours"), np.uint8)
    confidence = np.ones(count, np.float32)
    if result.has("confidence"):
        confidence = np.asarray(result.load("confidence"), np.float32)
    point_view = np.full(count, -1, np.int32)
    if result.has("point_view"):
        point_view = np.asarray(result.load("point_view"), np.int32)
    _check_shape(result, "colours", colours, (count, 3))
    _check_shape(result, "confidence", confidence, (count,))
    _check_shape(result, "point_view", point_view, (count,))
    finite = np.isfinite(points).all(axis=1)
    if finite.all():
        return points, colours, confidence, point_view, ()
    note = f"{count - int(finite.sum())} of {count} points had no finite position; left out."
    return points[finite], colours[finite], confidence[finite], point_view[finite], (note,)


def _read_votes(result: Result) -> dict[str, Any]:
    """Return what `_read_points` leaves out, of the same points."""
    if not result.has("points"):
        return {}
    points = result.load("points")
    finite = np.isfinite(points).all(axis=1)
    votes: dict[str, Any] = {}
    for name, kind in (("point_view_count", np.int32), ("point_moving", np.bool_)):
        if result.has(name):
            values = np.asarray(result.load(name), kind)
            _check_shape(result, name, values, (len(points),))
            votes[name] = values[finite]
    if "point_moving" in votes and not votes["point_moving"].any():
        del votes["point_moving"]
    return votes


def _require_mapping(result: Result, key: str) -> dict[str, Any]:
    value = result.manifest.get(key)
    if not isinstance(value, dict):
        raise _broken(result, f"the manifest has no {key}")
    return value


def _check_shape(result: Result, name: str, array: NDArray[Any], expected: tuple[int, ...]) -> None:
    if array.shape != expected:
        raise _broken(result, f"{name} has shape {array.shape}, not {expected}")


def _broken(result: Result, why: str) -> EngineError:
    return EngineError(
        ErrorCode.RESULT_BROKEN,
        f"The result in {result.folder} cannot be used: {why}.",
        "Run Reconstruct again, or choose another results folder.",
    )
