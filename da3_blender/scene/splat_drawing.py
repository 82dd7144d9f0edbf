# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws splats in the viewports: sorted by depth, behind and in front of the scene's objects.

Runs in Blender. No Blender object is kept between redraws: splats are found by their role, buffers
are kept by the session ids of mesh, object and viewport.

Splats are drawn into a picture of their own with 16 bits a channel, since hundreds of layers would
not survive the 8 bits of the viewport, in the space in which they are to be blended; the depth of
what the viewport shows already hides what is behind it. The finished picture is laid over.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import bpy
import gpu
import numpy as np

from ..contract import names
from ..contract.errors import EngineError
from ..splats.recolour import build_factors
from . import splat_inputs as inputs
from .splat_crop import find_crop
from .splat_object import rank_by_importance, read_splat_mesh
from .splat_shader import (
    FRAME_FLOATS,
    build_harmonic_texels,
    build_shape_texels,
    make_over_shader,
    make_quad_batch,
    make_splat_shader,
    make_texture,
)
from .splat_sorting import SplatFacts, choose_shown, collect_facts, sort_far_to_near

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpy.types import Context, Depsgraph, Mesh, Object, Scene
    from gpu.types import GPUOffScreen, GPUTexture
    from mathutils import Matrix
    from numpy.typing import NDArray

_NEAREST: Final = 1e-3
_SORT_AT_ONCE: Final = 400_000
"""Larger clouds keep their order while the view moves, and are sorted when it rests."""
_REST_S: Final = 0.15
_MOST_ORDERS: Final = 8


@dataclass
class _Cloud:
    """What lives on the GPU of one mesh, and what sorting needs."""

    count: int
    facts: SplatFacts
    shapes: tuple[GPUTexture, int]
    harmonics: tuple[GPUTexture, int]
    coefficients: int


@dataclass
class _Order:
    """One object in one viewport: the order of its splats for one view and one set of limits."""

    row: NDArray[np.float32]
    settings: tuple[object, ...]
    texture: GPUTexture
    width: int
    count: int


@dataclass
class _Buffers:
    shader: Any = None
    over: Any = None
    quad: Any = None
    screens: dict[tuple[int, int], GPUOffScreen] = field(default_factory=dict)
    clouds: dict[int, _Cloud] = field(default_factory=dict)
    orders: dict[tuple[int, int], _Order] = field(default_factory=dict)
    moved_at: float = 0.0
    handler: Any = None


_buffers: Final = _Buffers()


def find_drawn(context: Context) -> Iterator[Object]:
    """Find the visible splat objects that are not being edited and have no quads."""
    space = context.space_data
    for ob in context.view_layer.objects:
        if ob.type != "MESH" or ob.get(names.PROP_ROLE) != names.ROLE_SPLATS:
            continue
        if ob.mode == "EDIT" or not ob.visible_get() or not ob.visible_in_viewport_get(space):
            continue
        if not inputs.read_inputs(ob)[inputs.DRAWN]:
            yield ob


def draw_splats(
    objects: list[Object],
    projection: Matrix,
    view: Matrix,
    depth: GPUTexture | None = None,
    viewport: int = 0,
) -> int:
    """Draw splats into the current frame buffer, premultiplied, in the space of their blending.

    Args:
        objects: of ours; the farthest is drawn first.
        projection: (4, 4) clip from view.
        view: (4, 4) view from world.
        depth: what hides splats, of the size of the viewport; None hides nothing.
        viewport: which one it is: the order of splats is kept for each.

    Returns:
        The number of splats that were drawn.
    """
    if _buffers.shader is None:
        _buffers.shader, _buffers.over = make_splat_shader(), make_over_shader()
        _buffers.quad = make_quad_batch()
    if depth is None:
        size = gpu.state.viewport_get()[2:]
        far = gpu.types.Buffer("FLOAT", size[0] * size[1], np.ones(size[0] * size[1], np.float32))
        depth = gpu.types.GPUTexture(size, format="R32F", data=far)
    gpu.state.blend_set("ALPHA_PREMULT")
    gpu.state.depth_test_set("NONE")
    gpu.state.depth_mask_set(False)  # noqa: FBT003 - C function
    ordered = sorted(objects, key=lambda ob: (view @ ob.matrix_world.translation).z)
    drawn = sum(_draw_object(ob, projection, view, depth, viewport) for ob in ordered)
    gpu.state.blend_set("NONE")
    return drawn


def _draw_object(
    ob: Object, projection: Matrix, view: Matrix, depth: GPUTexture, viewport: int
) -> int:
    cloud = _get_cloud(ob.data)
    if cloud is None:
        return 0
    settings = inputs.read_inputs(ob)
    matrix = np.array(view @ ob.matrix_world, np.float32)
    order = _get_order(ob, cloud, settings, matrix[2, :3], viewport)
    if order.count == 0:
        return 0
    frame = _build_frame(cloud, order, settings, matrix, np.array(projection, np.float32))
    uniforms = gpu.types.GPUUniformBuf(gpu.types.Buffer("FLOAT", FRAME_FLOATS, frame))
    shader = _buffers.shader
    shader.bind()
    shader.uniform_block("frame", uniforms)
    shader.uniform_sampler("shapes", cloud.shapes[0])
    shader.uniform_sampler("harmonics", cloud.harmonics[0])
    shader.uniform_sampler("order", order.texture)
    shader.uniform_sampler("scene_depth", depth)
    _buffers.quad.draw_instanced(shader, instance_count=order.count)
    return order.count


def _build_frame(
    cloud: _Cloud,
    order: _Order,
    settings: dict[str, Any],
    matrix: NDArray[np.float32],
    projection: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the numbers of `SplatFrame`, columns first."""
    size = gpu.state.viewport_get()[2:]
    is_parallel = projection[3, 3] > 0.5  # noqa: PLR2004 - 0 or 1
    inverse = np.linalg.inv(matrix.astype(np.float64))
    eye = (*inverse[:3, 3], 1.0)
    if is_parallel:
        towards = -inverse[:3, 2]
        eye = (*(towards / np.linalg.norm(towards)), 0.0)
    look = settings[inputs.LOOK]
    degree = min(settings[inputs.DEGREE], round(cloud.coefficients**0.5) - 1)
    return np.concatenate(
        [
            matrix.T.ravel(),
            projection.T.ravel(),
            eye,
            (*size, settings[inputs.FILTER], _NEAREST),
            (
                settings[inputs.SIZE],
                settings[inputs.POINT_SIZE],
                min(2 * look, 1.0),
                max(2 * look - 1, 0.0),
            ),
            (
                degree,
                0.0 if settings[inputs.DISPLAY_VALUES] else 1.0,
                cloud.shapes[1],
                cloud.harmonics[1],
            ),
            (order.width, cloud.coefficients, 0, 0),
            build_factors(settings[inputs.TINT], settings[inputs.BRIGHTNESS]),
            (settings[inputs.SATURATION],),
        ]
    ).astype(np.float32)


def _get_cloud(mesh: Mesh) -> _Cloud | None:
    key = mesh.session_uid
    known = _buffers.clouds.get(key)
    if known is not None and known.count == len(mesh.vertices):
        return known
    if not mesh.vertices:
        return None
    try:
        cloud = read_splat_mesh(mesh)
    except EngineError:  # the user removed an attribute: exporting says so, drawing cannot
        return None
    rank = np.empty(cloud.count, np.int32)
    stored = mesh.attributes.get(names.ATTR_RANK)
    if stored is not None and stored.data_type == "INT":
        stored.data.foreach_get("value", rank)
    else:
        rank = rank_by_importance(cloud)
    shapes = build_shape_texels(cloud.positions, cloud.scales, cloud.rotations, cloud.opacities)
    known = _Cloud(
        cloud.count,
        collect_facts(cloud, rank),
        make_texture(shapes, "RGBA32F"),
        make_texture(build_harmonic_texels(cloud.harmonics), "RGBA16F"),
        cloud.harmonics.shape[2],
    )
    _buffers.clouds[key] = known
    return known


def _get_order(
    ob: Object, cloud: _Cloud, settings: dict[str, Any], row: NDArray[np.float32], viewport: int
) -> _Order:
    key = (ob.session_uid, viewport)
    limits = tuple(
        settings[name] for name in inputs.LIMITS if name not in (inputs.CROP, inputs.CROP_BOX)
    )
    crop = find_crop(ob, settings)
    box = None if crop is None else tuple(crop.ravel())
    limits = (ob.data.session_uid, cloud.count, box, *limits)
    known = _buffers.orders.get(key)
    if known is not None and known.settings == limits:
        if np.array_equal(known.row, row):
            return known
        if known.count > _SORT_AT_ONCE and _is_moving():
            return known
    shown = choose_shown(cloud.facts, settings, crop)
    indices = sort_far_to_near(cloud.facts.positions, shown, row)
    texture, width = make_texture(indices.astype(np.float32)[:, None], "R32F")
    known = _Order(row.copy(), limits, texture, width, len(indices))
    while len(_buffers.orders) >= _MOST_ORDERS:
        _buffers.orders.pop(next(iter(_buffers.orders)))
    _buffers.orders[key] = known
    return known


def _is_moving() -> bool:
    """Tell whether the view changed a moment ago; if so, ask for a redraw when it rests."""
    now = time.monotonic()
    rests = now - _buffers.moved_at > _REST_S
    _buffers.moved_at = now
    if not rests and not bpy.app.timers.is_registered(_redraw):
        bpy.app.timers.register(_redraw, first_interval=2 * _REST_S)
    return not rests


def _redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def forget_buffers() -> None:
    """Drop everything on the GPU but the shaders; what is visible is uploaded again."""
    _buffers.clouds.clear()
    _buffers.orders.clear()
    for screen in _buffers.screens.values():
        screen.free()
    _buffers.screens.clear()


def forget_unused() -> None:
    """Drop the buffers of splats that no object uses any more."""
    used = {mesh.session_uid for mesh in bpy.data.meshes if mesh.users}
    for key in [key for key in _buffers.clouds if key not in used]:
        del _buffers.clouds[key]


def count_clouds() -> int:
    """Return how many clouds are on the GPU."""
    return len(_buffers.clouds)


def _get_screen(width: int, height: int) -> GPUOffScreen:
    key = (width, height)
    if key not in _buffers.screens:
        while len(_buffers.screens) >= _MOST_ORDERS:
            _buffers.screens.pop(next(iter(_buffers.screens))).free()
        _buffers.screens[key] = gpu.types.GPUOffScreen(width, height, format="RGBA16F")
    return _buffers.screens[key]


def draw_over(objects: list[Object], projection: Matrix, view: Matrix, viewport: int) -> int:
    """Draw splats over the current frame buffer, hidden by what is in its depth.

    Returns:
        The number of splats that were drawn.
    """
    frame = gpu.state.active_framebuffer_get()
    x, y, width, height = gpu.state.viewport_get()
    stored = frame.read_depth(x, y, width, height)
    stored.dimensions = width * height
    depth = gpu.types.GPUTexture((width, height), format="R32F", data=stored)
    drawn = 0
    for is_linear in (True, False):
        group = [ob for ob in objects if _is_linear(ob) == is_linear]
        if not group:
            continue
        screen = _get_screen(width, height)
        with screen.bind():
            gpu.state.active_framebuffer_get().clear(color=(0, 0, 0, 0))
            gpu.state.viewport_set(0, 0, width, height)
            drawn += draw_splats(group, projection, view, depth, viewport)
        gpu.state.viewport_set(x, y, width, height)
        gpu.state.blend_set("ALPHA_PREMULT")
        _buffers.over.bind()
        _buffers.over.uniform_sampler("picture", screen.texture_color)
        _buffers.over.uniform_float("is_linear", 1.0 if is_linear else 0.0)
        _buffers.quad.draw(_buffers.over)
        gpu.state.blend_set("NONE")
    return drawn


def _is_linear(ob: Object) -> bool:
    return not inputs.read_inputs(ob)[inputs.DISPLAY_VALUES]


def _draw() -> None:
    context = bpy.context
    objects = list(find_drawn(context))
    if len(_buffers.clouds) > len(objects):
        forget_unused()
    if objects:
        region = context.region_data
        draw_over(objects, region.window_matrix, region.view_matrix, region.as_pointer())


@bpy.app.handlers.persistent
def _on_change(_scene: Scene, depsgraph: Depsgraph) -> None:
    if not _buffers.clouds:
        return
    for update in depsgraph.updates:
        if update.is_updated_geometry and isinstance(update.id, bpy.types.Mesh):
            key = update.id.original.session_uid
            if _buffers.clouds.pop(key, None) is not None:
                _buffers.orders.clear()


@bpy.app.handlers.persistent
def _on_load(*_arguments: object) -> None:
    forget_buffers()


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
    if bpy.app.timers.is_registered(_redraw):
        bpy.app.timers.unregister(_redraw)
    for handlers in (
        bpy.app.handlers.redo_post,
        bpy.app.handlers.undo_post,
        bpy.app.handlers.load_post,
    ):
        handlers.remove(_on_load)
    bpy.app.handlers.depsgraph_update_post.remove(_on_change)
    bpy.types.SpaceView3D.draw_handler_remove(_buffers.handler, "WINDOW")
    _buffers.handler = None
    _buffers.shader = _buffers.over = _buffers.quad = None
    forget_buffers()
