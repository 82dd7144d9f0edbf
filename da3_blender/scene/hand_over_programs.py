# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic, USD and FBX by Blender's own exporters, with nothing left different in the scene.

Runs in Blender.
"""

from __future__ import annotations

from contextlib import contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import bpy

from ..contract import names
from ..contract.errors import EngineError, ErrorCode
from .compat import get_modifier_input
from .hand_over_cameras import kept_frame
from .lookup import list_cameras, list_parts
from .point_nodes import INPUT_RADIUS
from .render_setup import match_render_to_camera

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from bpy.types import Context, Object, Scene

SUFFIXES: Final = {"ABC": ".abc", "USD": ".usdc", "FBX": ".fbx"}
_RENDER: Final = (
    "camera",
    "frame_start",
    "frame_end",
    "render.resolution_x",
    "render.resolution_y",
    "render.resolution_percentage",
    "render.pixel_aspect_x",
    "render.pixel_aspect_y",
)
_SHOWN_COLOUR: Final = "displayColor"  # what USD calls the colour that programs show


def export_scene(
    context: Context,
    root: Object,
    kind: str,
    path: Path,
    *,
    with_cloud: bool,
    with_meshes: bool,
) -> None:
    """Write the cameras, and what is wanted beside them, with a sample at every frame.

    The files have y up, as Blender's exporters and importers have it. The cloud is a set of
    points in USD, and a mesh of vertices in Alembic and FBX.

    Args:
        context: of the scene, in Object Mode.
        root: of the reconstruction.
        kind: one of SUFFIXES.
        path: of the file.
        with_cloud: also the points.
        with_meshes: also visible meshes.

    Raises:
        EngineError: OUTPUT_UNWRITABLE, SETTINGS_INVALID.
    """
    cameras = list_cameras(root)
    scene = context.scene
    with kept_frame(scene), _kept_settings(scene), _kept_selection(context), _square_backs(cameras):
        match_render_to_camera(scene, cameras[0])
        first, last = find_range(cameras, scene)
        scene.frame_start, scene.frame_end = first, last
        scene.frame_set(first)
        with _plain_clouds(context, root, kind, is_wanted=with_cloud) as clouds:
            meshes = _list_meshes(root) if with_meshes else []
            chosen = [*cameras, *clouds, *meshes]
            _select(context, [*chosen, *_list_parents(chosen)])
            _call_exporter(kind, path, (first, last))
    if not path.is_file():
        raise EngineError(
            ErrorCode.OUTPUT_UNWRITABLE,
            f"Blender did not write {path}.",
            "Choose a folder that you may write to; Blender's console tells more.",
        )


def find_range(cameras: list[Object], scene: Scene) -> tuple[int, int]:
    """Return the first and last frame of a moving camera; the present one for photos."""
    frames = cameras[0].get(names.PROP_FRAME)
    if frames is None or isinstance(frames, int):
        return scene.frame_current, scene.frame_current
    return int(min(frames)), int(max(frames))


def _call_exporter(kind: str, path: Path, span: tuple[int, int]) -> None:
    exporters = {"ABC": _export_alembic, "USD": _export_usd, "FBX": _export_fbx}
    try:
        exporters[kind](path, span)
    except RuntimeError as error:  # Blender's operators report failures so
        raise EngineError(
            ErrorCode.OUTPUT_UNWRITABLE,
            f"{path} could not be written ({str(error).strip()}).",
            "Choose a folder that you may write to, or leave this format out.",
        ) from error


def _export_alembic(path: Path, span: tuple[int, int]) -> None:
    bpy.ops.wm.alembic_export(
        filepath=str(path),
        start=span[0],
        end=span[1],
        selected=True,
        as_background_job=False,
        evaluation_mode="VIEWPORT",
        export_hair=False,
        export_particles=False,
        export_custom_properties=False,
    )


def _export_usd(path: Path, span: tuple[int, int]) -> None:
    bpy.ops.wm.usd_export(
        filepath=str(path),
        selected_objects_only=True,
        export_animation=span[0] < span[1],
        export_materials=False,
        export_hair=False,
        export_custom_properties=False,
        evaluation_mode="VIEWPORT",
        convert_orientation=True,
        export_global_forward_selection="NEGATIVE_Z",
        export_global_up_selection="Y",
    )


def _export_fbx(path: Path, span: tuple[int, int]) -> None:
    if not hasattr(bpy.types, bpy.ops.export_scene.fbx.idname()):
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            "Blender's FBX add-on is off.",
            "Switch it on in Preferences > Add-ons (Import-Export: FBX format).",
        )
    bpy.ops.export_scene.fbx(
        filepath=str(path),
        use_selection=True,
        object_types={"EMPTY", "CAMERA", "MESH"},
        use_mesh_modifiers=True,
        colors_type="SRGB",
        bake_anim=span[0] < span[1],
        bake_anim_step=1.0,
        bake_anim_simplify_factor=0.0,  # every frame is a key, as solved
        bake_anim_use_all_actions=False,
        bake_anim_use_nla_strips=False,
        bake_anim_force_startend_keying=True,
    )


@contextmanager
def _kept_settings(scene: Scene) -> Generator[None]:
    before: dict[str, Any] = {path: attrgetter(path)(scene) for path in _RENDER}
    try:
        yield
    finally:
        for path, value in before.items():
            owner, _, name = path.rpartition(".")
            setattr(attrgetter(owner)(scene) if owner else scene, name, value)


@contextmanager
def _kept_selection(context: Context) -> Generator[None]:
    layer = context.view_layer
    selected = [ob.name for ob in layer.objects if ob.select_get(view_layer=layer)]
    active = layer.objects.active.name if layer.objects.active else ""
    hidden = [ob.name for ob in layer.objects if ob.hide_get(view_layer=layer)]
    try:
        yield
    finally:
        for ob in layer.objects:
            ob.hide_set(ob.name in hidden, view_layer=layer)
            ob.select_set(ob.name in selected, view_layer=layer)
        layer.objects.active = layer.objects.get(active)


@contextmanager
def _square_backs(cameras: list[Object]) -> Generator[None]:
    """Give cameras a film back of the shape of their picture, as other programs need it.

    With a sensor that is fitted to the width, Blender does not look at the height.
    """
    datas = [ob.data for ob in cameras if ob.data.sensor_fit == "HORIZONTAL"]
    before = [data.sensor_height for data in datas]
    try:
        for ob in cameras:
            if ob.data.sensor_fit == "HORIZONTAL":
                width, height = ob[names.PROP_SIZE]
                fx, fy = ob[names.PROP_K][0], ob[names.PROP_K][4]
                ob.data.sensor_height = ob.data.sensor_width * height / width * fx / fy
        yield
    finally:
        for data, height in zip(datas, before, strict=True):
            data.sensor_height = height


@contextmanager
def _plain_clouds(
    context: Context, root: Object, kind: str, *, is_wanted: bool
) -> Generator[list[Object]]:
    """Lend copies of the clouds without the modifier that makes them visible in Blender."""
    sources = list_parts(root, names.ROLE_POINTS) if is_wanted else []
    copies: list[Object] = []
    blocks = []
    try:
        for source in sources:
            copy = source.copy()
            copies.append(copy)
            copy.data = source.data.copy()
            blocks.append(copy.data)
            copy.modifiers.clear()
            copy.name = f"{root.name}_points"
            context.scene.collection.objects.link(copy)
        context.view_layer.update()
        if kind == "USD":
            copies = [
                _turn_into_points(context, copy, source)
                for copy, source in zip(copies, sources, strict=True)
            ]
        yield copies
    finally:
        for copy in copies:
            blocks.append(copy.data)
            bpy.data.objects.remove(copy)
        for block in {block.name_full: block for block in blocks}.values():
            if not block.users:
                bpy.data.batch_remove([block])


def _turn_into_points(context: Context, copy: Object, source: Object) -> Object:
    """Make a native point cloud, which USD has a kind of its own for, with radius and colour."""
    name = copy.name
    if copy.type == "MESH":
        with context.temp_override(
            active_object=copy,
            object=copy,
            selected_objects=[copy],
            selected_editable_objects=[copy],
        ):
            bpy.ops.object.convert(target="POINTCLOUD")
        copy = context.scene.objects[name]
    attributes = copy.data.attributes
    colour = attributes.get(names.ATTR_COLOUR)
    if colour is not None:
        colour.name = _SHOWN_COLOUR
    if attributes.get("radius") is None:
        radii = [
            get_modifier_input(modifier, INPUT_RADIUS, None)
            for modifier in source.modifiers
            if modifier.type == "NODES"
        ]
        known = next((float(radius) for radius in radii if radius is not None), None)
        if known is not None:
            radius = attributes.new("radius", "FLOAT", "POINT")
            radius.data.foreach_set("value", [known] * len(copy.data.points))
    return copy


def _list_meshes(root: Object) -> list[Object]:
    parts = [*list_parts(root, names.ROLE_MESH), *list_parts(root, names.ROLE_PROXY)]
    return [ob for ob in parts if ob.visible_get()]


def _list_parents(chosen: list[Object]) -> list[Object]:
    """Return the objects above others, which carry their scale and place in the file."""
    parents = []
    for ob in chosen:
        above = ob.parent
        while above is not None:
            if above not in parents:
                parents.append(above)
            above = above.parent
    return parents


def _select(context: Context, chosen: list[Object]) -> None:
    layer = context.view_layer
    missing = [ob.name for ob in chosen if ob.name not in layer.objects]
    if missing:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"{missing[0]} is in a collection that is excluded from this view layer.",
            "Switch the collection on in the outliner and hand over again.",
        )
    for ob in list(layer.objects):
        ob.select_set(state=False, view_layer=layer)
    for ob in chosen:
        ob.hide_set(state=False, view_layer=layer)
        ob.select_set(state=True, view_layer=layer)
    layer.objects.active = chosen[0]
