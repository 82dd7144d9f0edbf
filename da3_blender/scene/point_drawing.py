# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of point clouds in solid and wireframe viewports, where Blender shows grey discs.

Runs in Blender. No Blender object is kept between redraws: clouds are found by their role, and
buffers are kept by the session id of the mesh or point cloud.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import bpy
import gpu
import numpy as np

from ..contract import names
from .compat import get_modifier_input
from .point_nodes import (
    INPUT_AT_FRAME,
    INPUT_LEAST_VIEWS,
    INPUT_MIN_CONFIDENCE,
    INPUT_RADIUS,
    INPUT_SHOW_MOVING,
)
from .point_shader import make_constants, make_point_batch, make_point_shader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpy.types import Context, Depsgraph, Mesh, NodesModifier, Object, PointCloud, Scene
    from mathutils import Matrix

_SMALLEST_PX: Final = 2.0
_SHADINGS: Final = ("SOLID", "WIREFRAME")


class _Batch(NamedTuple):
    """What was asked for (points, limit, limits of the modifier), and what came of it.

    `each_stands_for` tells for how many points one is drawn.
    """

    wanted: tuple[int, int, Limits | None]
    drawn: int
    each_stands_for: float
    batch: Any


@dataclass
class _Buffers:
    """What lives on the GPU: one shader, and a batch for each mesh."""

    shader: Any = None
    batches: dict[int, _Batch] = field(default_factory=dict)
    handler: Any = None


_buffers: Final = _Buffers()
_ROLES: Final = (names.ROLE_POINTS, names.ROLE_LIVE)


@dataclass(frozen=True)
class Limits:
    """Limits of a cloud's modifier that decide which points are drawn at all.

    Args:
        least_views: that agree on a point.
        shows_moving: draw what moved through the scene.
        frame: draw of that only what belongs to this frame; None draws all.
    """

    least_views: int = 1
    shows_moving: bool = False
    frame: int | None = None


def read_cloud(
    data: Mesh | PointCloud, limit: int, shown: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read the points to draw; above the limit, an even share of them.

    Args:
        data: of a cloud of ours.
        limit: most points.
        shown: (N,) bool, from `choose_shown`; None hides nothing.

    Returns:
        positions: (M, 3) float32, object space.
        colours: (M, 4) uint8, sRGB; white where there are none.
        confidence: (M,) float32; the largest number where there is none.
    """
    attributes = data.attributes
    count = len(attributes["position"].data)
    positions = np.empty((count, 3), np.float32)
    attributes["position"].data.foreach_get("vector", positions.ravel())
    colours = np.full((count, 4), 255, np.uint8)
    colour = attributes.get(names.ATTR_COLOUR)
    if colour is not None and len(colour.data) == count and "COLOR" in colour.data_type:
        values = np.empty((count, 4), np.float32)
        colour.data.foreach_get("color_srgb", values.ravel())
        colours = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    confidence = np.full(count, np.finfo(np.float32).max, np.float32)
    stored = attributes.get(names.ATTR_CONFIDENCE)
    if stored is not None and len(stored.data) == count and stored.data_type == "FLOAT":
        stored.data.foreach_get("value", confidence)
    if shown is not None and not shown.all():
        positions, colours, confidence = positions[shown], colours[shown], confidence[shown]
        count = len(positions)
    if count > limit:
        chosen = np.linspace(0, count - 1, limit).astype(np.int64)
        return positions[chosen], colours[chosen], confidence[chosen]
    return positions, colours, confidence


def choose_shown(data: Mesh | PointCloud, limits: Limits) -> np.ndarray:
    """Return (M,) bool, the points within limits; the same rules as nodes are in `point_nodes`."""
    count = len(data.attributes["position"].data)
    shown = np.ones(count, bool)
    views = _read_values(data, names.ATTR_VIEW_COUNT, "INT", np.int32)
    if views is not None and limits.least_views > 1:
        shown &= views >= limits.least_views
    moving = _read_values(data, names.ATTR_MOVING, "BOOLEAN", np.bool_)
    if moving is None:
        return shown
    if not limits.shows_moving:
        return shown & ~moving
    begin = _read_values(data, names.ATTR_FRAME, "INT", np.int32)
    end = _read_values(data, names.ATTR_FRAME_END, "INT", np.int32)
    if limits.frame is None or begin is None or end is None:
        return shown
    return shown & (~moving | ((begin <= limits.frame) & (limits.frame < end)))


def _read_values(data: Mesh | PointCloud, name: str, kind: str, dtype: type) -> np.ndarray | None:
    stored = data.attributes.get(name)
    if stored is None or stored.data_type != kind or stored.domain != "POINT":
        return None
    values = np.empty(len(stored.data), dtype)
    stored.data.foreach_get("value", values)
    return values


def find_clouds(context: Context) -> Iterator[Object]:
    """Find the clouds of ours that the viewport shows and that are not being edited."""
    space = context.space_data
    for ob in context.view_layer.objects:
        if ob.get(names.PROP_ROLE) not in _ROLES or ob.type not in ("MESH", "POINTCLOUD"):
            continue
        if ob.mode != "EDIT" and ob.visible_get() and ob.visible_in_viewport_get(space):
            yield ob


def draw_clouds(
    clouds: list[Object],
    projection: Matrix,
    view: Matrix,
    limit: int,
) -> int:
    """Draw clouds into the current frame buffer.

    Args:
        clouds: objects of ours.
        projection: (4, 4) clip from view.
        view: (4, 4) view from world.
        limit: most points to draw, shared by the clouds.

    Returns:
        The number of points that were drawn.
    """
    if _buffers.shader is None:
        _buffers.shader = make_point_shader()
    height_px = gpu.state.viewport_get()[3]
    share = max(1, limit // max(1, len(clouds)))
    gpu.state.depth_test_set("LESS_EQUAL")
    gpu.state.depth_mask_set(True)  # noqa: FBT003 - C function
    gpu.state.blend_set("NONE")
    gpu.state.program_point_size_set(True)  # noqa: FBT003
    drawn = sum(_draw_cloud(ob, projection, view, height_px, share) for ob in clouds)
    gpu.state.program_point_size_set(False)  # noqa: FBT003
    gpu.state.depth_mask_set(False)  # noqa: FBT003
    gpu.state.depth_test_set("NONE")
    return drawn


def _draw_cloud(ob: Object, projection: Matrix, view: Matrix, height_px: int, limit: int) -> int:
    modifier = next((m for m in ob.modifiers if m.type == "NODES" and m.node_group), None)
    radius, least, limits = 0.0, -np.inf, None
    if modifier is not None:
        radius = get_modifier_input(modifier, INPUT_RADIUS, 0.0)
        least = get_modifier_input(modifier, INPUT_MIN_CONFIDENCE, 0.0)
        limits = _read_limits(ob.data, modifier)
    cloud = _get_batch(ob.data, limit, limits)
    if cloud is None or cloud.batch is None:
        return 0
    scaled = radius * ob.matrix_world.median_scale
    shader = _buffers.shader
    shader.bind()
    shader.uniform_float("clip_from_object", projection @ view @ ob.matrix_world)
    # A share of the points covers the surface when each is larger.
    scaled *= cloud.each_stands_for**0.5
    constants = make_constants(
        projection, height_px, scaled, max(least, float(np.finfo(np.float32).min)), _SMALLEST_PX
    )
    for name, value in constants.items():
        shader.uniform_float(name, value)
    cloud.batch.draw(shader)
    return cloud.drawn


def _read_limits(data: Mesh | PointCloud, modifier: NodesModifier) -> Limits:
    shows_moving = bool(get_modifier_input(modifier, INPUT_SHOW_MOVING, default=True))
    at_frame = get_modifier_input(modifier, INPUT_AT_FRAME, default=False)
    at_frame = at_frame and shows_moving and names.ATTR_FRAME in data.attributes
    return Limits(
        int(get_modifier_input(modifier, INPUT_LEAST_VIEWS, 1)),
        shows_moving,
        bpy.context.scene.frame_current if at_frame else None,
    )


def _get_batch(data: Mesh | PointCloud, limit: int, limits: Limits | None) -> _Batch | None:
    total = len(data.attributes["position"].data) if "position" in data.attributes else 0
    if total == 0:
        return None
    key = data.session_uid
    known = _buffers.batches.get(key)
    wanted = (total, limit, limits)
    if known is None or known.wanted != wanted:
        shown = np.ones(total, bool) if limits is None else choose_shown(data, limits)
        cloud = read_cloud(data, limit, shown)
        count = len(cloud[0])
        batch = make_point_batch(*cloud) if count else None
        known = _Batch(wanted, count, int(np.count_nonzero(shown)) / max(count, 1), batch)
        _buffers.batches[key] = known
    return known


def forget_batches() -> None:
    """Drop all buffers; visible clouds are uploaded again at the next redraw."""
    _buffers.batches.clear()


def forget_unused() -> None:
    """Drop the buffers of clouds that no object uses any more."""
    used = {
        data.session_uid
        for group in (bpy.data.meshes, bpy.data.pointclouds)
        for data in group
        if data.users
    }
    for key in [key for key in _buffers.batches if key not in used]:
        del _buffers.batches[key]


def count_batches() -> int:
    """Return how many clouds are on the GPU."""
    return len(_buffers.batches)


def _draw() -> None:
    context = bpy.context
    settings = getattr(context.scene, names.SCENE_SETTINGS)
    if not settings.draw_points or context.space_data.shading.type not in _SHADINGS:
        return
    clouds = list(find_clouds(context))
    if len(_buffers.batches) > len(clouds):
        forget_unused()
    if clouds:
        region = context.region_data
        draw_clouds(clouds, region.window_matrix, region.view_matrix, settings.draw_limit)


@bpy.app.handlers.persistent
def _on_change(_scene: Scene, depsgraph: Depsgraph) -> None:
    if not _buffers.batches:
        return
    for update in depsgraph.updates:
        if update.is_updated_geometry and isinstance(
            update.id, (bpy.types.Mesh, bpy.types.PointCloud)
        ):
            _buffers.batches.pop(update.id.original.session_uid, None)


@bpy.app.handlers.persistent
def _on_load(*_arguments: object) -> None:
    forget_batches()


def is_drawing() -> bool:
    """Tell whether the draw handler is in place."""
    return _buffers.handler is not None


def register() -> None:
    """Begin to draw."""
    _buffers.handler = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")
    bpy.app.handlers.depsgraph_update_post.append(_on_change)
    for handlers in (
        bpy.app.handlers.load_post,
        bpy.app.handlers.undo_post,
        bpy.app.handlers.redo_post,
    ):
        handlers.append(_on_load)


def unregister() -> None:
    """Stop drawing and drop everything on the GPU."""
    for handlers in (
        bpy.app.handlers.redo_post,
        bpy.app.handlers.undo_post,
        bpy.app.handlers.load_post,
    ):
        handlers.remove(_on_load)
    bpy.app.handlers.depsgraph_update_post.remove(_on_change)
    bpy.types.SpaceView3D.draw_handler_remove(_buffers.handler, "WINDOW")
    _buffers.handler = None
    _buffers.shader = None
    forget_batches()
