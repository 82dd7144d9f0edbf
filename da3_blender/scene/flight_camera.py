# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One animated camera that flies through a reconstruction, made or updated in place.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import bpy
import numpy as np

from ..contract import names
from ..contract.cameras import SENSOR_WIDTH_MM, invert_rigid, to_blender_lens, to_blender_matrix
from ..contract.rotations import make_continuous, matrix_to_quaternion
from ..flights import timing
from ..flights.camera_paths import (
    RING_MODES,
    SHOWPIECE_MODES,
    CameraPath,
    FlightPlan,
    Showpieces,
    build_path,
    count_frames_per_gap,
)
from .animation import (
    add_curves,
    find_channelbag,
    fingerprint_curves,
    make_channelbag,
    remove_curves,
)
from .flight_depth import gather_points, measure_distances
from .flight_views import FlightViews, find_processed_size, read_views
from .lookup import list_parts
from .render_setup import match_render_to_camera, set_timeline
from .written import Written

if TYPE_CHECKING:
    from bpy.types import ID, Context, Object
    from numpy.typing import NDArray

    from .flight_settings import FlightSettings

_POSE: Final = ("location", "rotation_quaternion")
_LENS: Final = ("lens", "shift_x", "shift_y")
_SAME: Final = 1e-6  # relative; Blender keeps single precision


class FlightReport(NamedTuple):
    """What was made.

    Attributes:
        camera: the flight.
        first: frame of the first key.
        last: frame of the last key.
        is_update: it was there before.
        notes: sentences that the user should read.
    """

    camera: Object
    first: int
    last: int
    is_update: bool
    notes: tuple[str, ...]


class _Flight(NamedTuple):
    """Numbers of all keys: (T, 3), (T, 4) wxyz and (T, 3) lens in mm, shifts in widths."""

    locations: NDArray[np.float64]
    turns: NDArray[np.float64]
    lenses: NDArray[np.float64]
    K: NDArray[np.float64]


def find_flight(root: Object, active: Object | None = None) -> Object | None:
    """Return the flight below a root: the active object if it is one, else the first."""
    flights = list_parts(root, names.ROLE_FLIGHT)
    return active if active in flights else next(iter(flights), None)


def make_flight(context: Context, root: Object, settings: FlightSettings) -> FlightReport:
    """Make the flight of a reconstruction, or write new keys on the one that is there.

    Args:
        context: its scene.
        root: of the reconstruction.
        settings: the user's choices.

    Raises:
        EngineError: INPUT_MISMATCH; there are no cameras.
    """
    notes: list[str] = []
    views = read_views(root, context.scene.frame_current)
    flight = _plan_flight(root, views, settings, notes)
    known = find_flight(root, context.active_object)
    ob = known or _make_camera(root, views.objects[0])
    frames = settings.start_frame + np.arange(len(flight.locations))
    _write_keys(ob, flight, frames, notes)
    ob[names.PROP_SIZE] = list(views.size)
    ob[names.PROP_K] = flight.K.ravel().tolist()
    first, last = int(frames[0]), int(frames[-1])
    if settings.set_timeline:
        match_render_to_camera(context.scene, ob)
        set_timeline(context.scene, first, last, timing.FRAMES_PER_SECOND)
    return FlightReport(ob, first, last, known is not None, tuple(notes))


def _plan_flight(
    root: Object, views: FlightViews, settings: FlightSettings, notes: list[str]
) -> _Flight:
    count = len(views.path.c2w)
    mode = settings.mode
    if count == 1 and mode != "wander":
        mode = "wander"
        notes.append("There is one view only, so the camera wanders around it.")
    stays = mode in SHOWPIECE_MODES
    is_ring = settings.loop == "RING" and mode in RING_MODES
    goes_back = settings.loop != "NONE" and not stays and not is_ring
    if goes_back and settings.loop == "RING":
        notes.append("This flight cannot go round in a ring, so it goes there and back.")
    around = views.objects.index(settings.around) if settings.around in views.objects else 0
    if stays and settings.around is not None and settings.around not in views.objects:
        notes.append(f"{settings.around.name} is no view of {root.name}; the first one is taken.")
    plan = FlightPlan(around, is_ring, _choose_showpieces(root, settings, notes))
    width, _ = find_processed_size(root, views.size)
    path = build_path(mode, views.path, width, plan)
    if settings.is_reversed:
        path = timing.reverse(path)
    if goes_back:
        path = timing.turn_back(path)
    is_loop = is_ring or goes_back
    total = _count_frames(mode, count, len(path.c2w), settings, is_ring=is_ring, is_loop=is_loop)
    return _make_numbers(path, views.size, total, is_loop=is_loop)


def _count_frames(
    mode: str,
    count: int,
    length: int,
    settings: FlightSettings,
    *,
    is_ring: bool,
    is_loop: bool,
) -> int:
    """Return the number of keys."""
    if settings.timing == "SECONDS":
        return max(2, round(settings.seconds * timing.FRAMES_PER_SECOND))
    if settings.timing == "GAP" and mode not in SHOWPIECE_MODES:
        factor = settings.frames_per_gap / count_frames_per_gap(mode, count, is_ring=is_ring)
        return max(2, round(length * factor) if is_loop else round((length - 1) * factor) + 1)
    return length


def _choose_showpieces(
    root: Object, settings: FlightSettings, notes: list[str]
) -> Showpieces | None:
    if settings.depth_from == "RELEASE":
        return None
    if settings.depth_from == "OWN":
        return Showpieces(lambda _view: settings.depth, settings.travel)
    points = gather_points(root)
    if len(points):
        return Showpieces(_DepthMeter(points), settings.travel)
    if settings.mode in {*SHOWPIECE_MODES, "extend"}:
        notes.append(
            "There are no points to measure a distance on, so the lengths are those of the "
            "release. Set Distance to Own, or turn Points on and rebuild."
        )
    return None


class _DepthMeter:
    """The median distance of what a view sees; that of all points where it sees none."""

    def __init__(self, points: NDArray[np.float64]) -> None:
        self._points = points

    def __call__(self, view: CameraPath) -> float:
        distances = measure_distances(self._points, view)
        if not len(distances):
            distances = np.linalg.norm(self._points - view.c2w[0, :3, 3], axis=1)
        return max(float(np.median(distances)), np.finfo(np.float32).tiny)


def _make_numbers(path: CameraPath, size: tuple[int, int], total: int, *, is_loop: bool) -> _Flight:
    matrices = to_blender_matrix(invert_rigid(path.c2w))
    turns = make_continuous(matrix_to_quaternion(matrices[:, :3, :3]))
    scale = np.array([[size[0]], [size[1]], [1.0]])
    lenses = [to_blender_lens(K * scale, *size) for K in path.K]
    lens = np.array([[item.lens_mm, item.shift_x, item.shift_y] for item in lenses])
    if is_loop and turns[0] @ turns[-1] < 0:
        # the quaternion turns once around; seen as a loop its first row needs the other sign
        turns = _resample_turning(turns, total)
    else:
        turns = timing.resample(turns, total, is_loop=is_loop)
    turns = make_continuous(turns / np.linalg.norm(turns, axis=1, keepdims=True))
    locations = timing.resample(matrices[:, :3, 3], total, is_loop=is_loop)
    return _Flight(
        locations, turns, timing.resample(lens, total, is_loop=is_loop), path.K[0] * scale
    )


def _resample_turning(turns: NDArray[np.float64], total: int) -> NDArray[np.float64]:
    """Resample a loop after which a quaternion comes back with the other sign."""
    twice = np.concatenate([turns, -turns])
    return timing.resample(twice, 2 * total, is_loop=True)[:total]


def _make_camera(root: Object, model: Object) -> Object:
    data = bpy.data.cameras.new(f"{root.name} flight")
    data.sensor_fit, data.sensor_width = "HORIZONTAL", SENSOR_WIDTH_MM
    for name in ("clip_start", "clip_end", "display_size"):
        setattr(data, name, getattr(model.data, name))
    ob = bpy.data.objects.new(data.name, data)
    ob.rotation_mode = "QUATERNION"
    ob[names.PROP_ROLE] = names.ROLE_FLIGHT
    ob.parent = root
    root.users_collection[0].objects.link(ob)
    return ob


def _write_keys(ob: Object, flight: _Flight, frames: NDArray[np.integer], notes: list[str]) -> None:
    record = Written(ob)
    ob.rotation_mode = "QUATERNION"
    bag = _clear(ob, _POSE, record, "path keys", notes)
    for path, values in zip(_POSE, (flight.locations, flight.turns), strict=True):
        setattr(ob, path, values[0].tolist())
        add_curves(bag, path, frames, values)
    record.note("path keys", fingerprint_curves(bag, _POSE))
    columns = dict(zip(_LENS, flight.lenses.T, strict=True))
    moving = {path: v for path, v in columns.items() if np.ptp(v) > _SAME * max(1.0, abs(v[0]))}
    lens_bag = find_channelbag(ob.data)
    if moving or lens_bag is not None:
        lens_bag = _clear(ob.data, _LENS, record, "lens keys", notes)
        for path, values in moving.items():
            add_curves(lens_bag, path, frames, values)
        if not lens_bag.fcurves:
            lens_bag = _remove_action(ob.data)
    record.note("lens keys", fingerprint_curves(lens_bag, _LENS))
    ob.data.sensor_fit, ob.data.sensor_width = "HORIZONTAL", SENSOR_WIDTH_MM
    for path, values in columns.items():
        setattr(ob.data, path, values[0])


def _remove_action(block: ID) -> None:
    """Take away an action without curves."""
    action = block.animation_data.action
    block.animation_data_clear()
    if not action.users:
        bpy.data.actions.remove(action)


def _clear(
    block: ID, paths: tuple[str, ...], record: Written, key: str, notes: list[str]
) -> bpy.types.ActionChannelbag:
    """Return a bag without our curves; an action that the user has edited is kept aside."""
    bag = find_channelbag(block)
    if bag is None:
        return make_channelbag(block, f"{block.name} {key.removesuffix(' keys')}")
    if record.knows(key) and record.read(key) != fingerprint_curves(bag, paths):
        edited = block.animation_data.action
        edited.use_fake_user = True
        block.animation_data.action = edited.copy()
        block.animation_data.action.use_fake_user = False
        notes.append(f"Your edited keys are kept in the action {edited.name}.")
        bag = find_channelbag(block)
    remove_curves(bag, paths)
    return bag
