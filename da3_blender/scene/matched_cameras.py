# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a reconstruction where its cameras coincide with other objects, or with another shot.

Runs in Blender.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from mathutils import Matrix

from ..contract import names
from ..contract.cameras import invert_rigid, to_blender_matrix
from ..contract.errors import EngineError, ErrorCode
from ..contract.pose_alignment import align_poses, measure_residual
from ..contract.result_folder import load_result
from ..contract.similarity import Sim3, fit_sim3
from .camera_objects import is_animated_camera
from .flight_views import read_path, read_views
from .lookup import list_cameras, list_roots, locate_result
from .root_moves import move_root, place_in_world, read_world_matrix
from .upright import accept_upright
from .world_points import list_picked

if TYPE_CHECKING:
    from bpy.types import Context, Object
    from numpy.typing import NDArray

_LEAST_POINTS: Final = 3
_MOST_FRAMES: Final = 60  # of a moving camera that are compared
_CAMERA_PAIR: Final = 2
_ENDING: Final = re.compile(r"\.[a-z]{3,4}$|\.jp2$")
_COPY: Final = re.compile(r"\.\d{3}$")  # that Blender adds to names that are taken


class Joined(NamedTuple):
    """How well two worlds fit.

    Attributes:
        pairs: points or cameras that are in both.
        what: they are.
        factor: that the moved one was scaled by.
        distance: root mean square after the fit, scene units.
        angle_deg: the same of camera directions; None for points.
    """

    pairs: int
    what: str
    factor: float
    distance: float
    angle_deg: float | None

    @property
    def text(self) -> str:
        """All that in a sentence."""
        angle = "" if self.angle_deg is None else f" and {self.angle_deg:.2g}°"
        plural = "" if self.pairs == 1 else "s"
        return (
            f"Aligned by {self.pairs} {self.what}{plural}, scaled by {self.factor:.4g}: they are "
            f"{self.distance:.2g}{angle} apart (root mean square)"
        )


def align_to_objects(context: Context, root: Object, *, with_scale: bool) -> Joined:
    """Move a reconstruction so that selected cameras of it coincide with other selected objects.

    Cameras and objects of one name belong together, else in the order of their names. A camera
    that moves is compared with an object that moves at its own frames.

    Raises:
        EngineError: INPUT_TOO_FEW, INPUT_MISMATCH.
    """
    ours, others = _split_selection(context, root)
    context.view_layer.update()
    if len(ours) == 1 and len(others) == 1 and is_animated_camera(ours[0]):
        source, target = _read_moving_pair(context, root, ours[0], others[0])
        source = place_in_world(source, root)
    else:
        pairs = _match_names(ours, others)
        source = np.stack([_read_rigid(read_world_matrix(ob, root)) for ob, _ in pairs])
        target = np.stack([_read_rigid(ob.matrix_world) for _, ob in pairs])
    fit = align_poses(source, target, with_scale=with_scale)
    _move(context, root, fit)
    distance, angle = measure_residual(source, target, fit)
    return Joined(len(source), "camera", fit.scale, distance, angle)


def join_shots(context: Context, root: Object, other: Object) -> Joined:
    """Move another reconstruction into the world of this one.

    By picked points of equal numbers, if there are three; else by cameras of the same photos.

    Args:
        context: of the scene.
        root: stays.
        other: moves.

    Raises:
        EngineError: INPUT_TOO_FEW; neither points nor photos are in both.
    """
    context.view_layer.update()
    numbered = [
        {int(ob[names.PROP_POINT]): ob.matrix_world.translation for ob in list_picked(item)}
        for item in (root, other)
    ]
    shared = sorted(numbered[0].keys() & numbered[1].keys())
    if len(shared) >= _LEAST_POINTS:
        target, source = (
            np.array([points[number] for number in shared], np.float64) for points in numbered
        )
        return _join_by_points(context, other, source, target)
    poses = [_read_photo_poses(context, item) for item in (root, other)]
    photos = sorted(poses[0].keys() & poses[1].keys())
    if len(photos) < _CAMERA_PAIR:
        raise EngineError(
            ErrorCode.INPUT_TOO_FEW,
            f"{root.name} and {other.name} have {len(shared)} picked points of equal numbers and "
            f"{len(photos)} photos in common.",
            "Pick at least three points in the same order in both.",
        )
    target, source = (np.stack([found[photo] for photo in photos]) for found in poses)
    fit = align_poses(source, target)
    _move(context, other, fit)
    distance, angle = measure_residual(source, target, fit)
    return Joined(len(photos), "photo", fit.scale, distance, angle)


def find_other_root(context: Context, root: Object) -> Object | None:
    """Return the second reconstruction: the other selected one, or the only other one."""
    others = [ob for ob in list_roots(context.scene) if ob != root]
    chosen = [ob for ob in others if ob.select_get() or any(c.select_get() for c in ob.children)]
    found = chosen or others
    return found[0] if len(found) == 1 else None


def _join_by_points(
    context: Context, other: Object, source: NDArray[np.float64], target: NDArray[np.float64]
) -> Joined:
    try:
        fit = fit_sim3(source, target)
    except ValueError as error:
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"The picked points cannot join the shots: {error}.",
            "Pick points that are spread over the scene.",
        ) from error
    _move(context, other, fit)
    distances = np.linalg.norm(fit.apply_to_points(source) - target, axis=1)
    return Joined(len(source), "point", fit.scale, float(np.sqrt(np.mean(distances**2))), None)


def _move(context: Context, root: Object, fit: Sim3) -> None:
    matrix = np.eye(4)
    matrix[:3, :3] = fit.scale * fit.rotation
    matrix[:3, 3] = fit.translation
    move_root(context, root, Matrix(matrix.tolist()))
    accept_upright(root)


def _split_selection(context: Context, root: Object) -> tuple[list[Object], list[Object]]:
    mine = set(list_cameras(root))
    chosen = sorted(context.selected_objects, key=lambda ob: ob.name)
    below = set(root.children_recursive) | {root}
    ours = [ob for ob in chosen if ob in mine]
    others = [ob for ob in chosen if ob not in below]
    if not ours or not others:
        raise EngineError(
            ErrorCode.INPUT_TOO_FEW,
            f"Align needs a camera of {root.name} and an object to align it to; "
            f"{len(ours)} and {len(others)} are selected.",
            "Select both, cameras of the reconstruction and the others.",
        )
    return ours, others


def _match_names(ours: list[Object], others: list[Object]) -> list[tuple[Object, Object]]:
    by_name: dict[str, Object] = {}
    for ob in others:
        by_name.setdefault(_COPY.sub("", _drop_ending(ob.name)), ob)
    by_name |= {_drop_ending(ob.name): ob for ob in others}
    wanted = [(ob, _drop_ending(str(ob.get(names.PROP_IMAGE, ob.name)))) for ob in ours]
    matched = [(ob, by_name[name]) for ob, name in wanted if name in by_name]
    if len(ours) == 1 or len(others) == 1:
        return matched or [(ours[0], others[0])]
    if matched:
        return matched
    if len(ours) != len(others):
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"{len(ours)} cameras and {len(others)} objects are selected, with other names.",
            "Select as many objects as cameras, or give both the same names.",
        )
    return list(zip(ours, others, strict=True))


def _drop_ending(name: str) -> str:
    """Return a name in small letters, without the ending of a picture."""
    return _ENDING.sub("", name.lower())


def _read_moving_pair(
    context: Context, root: Object, ours: Object, other: Object
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return poses of our camera below the root, and of the other object in the world."""
    frames = [int(frame) for frame in ours[names.PROP_FRAME]]
    frames = frames[:: max(1, len(frames) // _MOST_FRAMES)]
    size = tuple(int(side) for side in ours[names.PROP_SIZE])
    path = read_path(ours, root, frames, size)
    scene = context.scene
    now, part = scene.frame_current, scene.frame_subframe
    target = []
    for frame in frames:
        scene.frame_set(frame)
        target.append(_read_rigid(other.matrix_world))
    scene.frame_set(now, subframe=part)
    return to_blender_matrix(invert_rigid(path.c2w)), np.stack(target)


def _read_photo_poses(context: Context, root: Object) -> dict[tuple[str, int], NDArray[np.float64]]:
    """Return the pose in the world of each photo: by its path, and its frame in a video."""
    result = load_result(locate_result(root))
    entries = [(str(result.photo_path(view).resolve()), view) for view in result.views]
    by_name = {str(view["name"]): entry for entry, view in zip(entries, result.views, strict=True)}
    by_frame = {view["frame"]: (path, view) for path, view in entries}
    views = read_views(root, context.scene.frame_current)
    world = place_in_world(to_blender_matrix(invert_rigid(views.path.c2w)), root)
    poses: dict[tuple[str, int], NDArray[np.float64]] = {}
    frames_left: dict[str, list[int]] = {}
    for ob, pose in zip(views.objects, world, strict=True):
        if is_animated_camera(ob):
            left = frames_left.setdefault(ob.name, [int(f) for f in ob[names.PROP_FRAME]])
            entry = by_frame.get(left.pop(0))
        else:
            entry = by_name.get(str(ob.get(names.PROP_IMAGE)))
        if entry is not None:
            path, view = entry
            poses[path, int(view["frame"] or 0) if _is_shared(path, entries) else 0] = pose
    return poses


def _is_shared(path: str, entries: list[tuple[str, dict[str, object]]]) -> bool:
    """Tell whether several views are of one file: frames of a video."""
    return len(entries) > 1 and entries[0][0] == path and entries[1][0] == path


def _read_rigid(matrix: Matrix) -> NDArray[np.float64]:
    location, rotation, _ = matrix.decompose()
    return np.array(Matrix.LocRotScale(location, rotation, None), np.float64)
