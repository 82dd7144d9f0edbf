# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chunks of a long run as objects while it goes on: an empty for each, points below it.

Runs in Blender. Points are written once, in the unit of their chunk; when a loop moves the chunks,
only the empties and the keys of the camera change. What was deleted or undone comes back with the
next chunk; all of it goes when the run is over and its result takes its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import bpy
import numpy as np
from mathutils import Matrix

from ..contract import names
from ..contract.cameras import (
    to_blender_lens,
    to_blender_matrix,
    to_blender_points,
    to_blender_similarity,
)
from ..contract.live import LiveChunk, read_live_chunk, read_live_places
from ..contract.rotations import make_continuous, matrix_to_quaternion
from .animation import add_curves, find_channelbag, make_channelbag, remove_curves
from .byte_colours import fill_byte_colours
from .compat import set_modifier_input
from .point_material import get_point_material
from .point_nodes import INPUT_MATERIAL, INPUT_RADIUS, get_point_nodes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bpy.types import Collection, Object, Scene

    from ..contract.similarity import Sim3

_LIVE: Final = "da3_live"  # on every object of a live run: the file that tells of its chunks
_PATHS: Final = ("location", "rotation_quaternion")
_EMPTY_SIZE: Final = 0.02
"""Share of the same distance as that of a point."""
_CAMERA_SIZE: Final = 5.0
"""Of the sizes of the empties."""
_RADIUS: Final = 0.002
"""Of a point, share of the median distance of the points from their camera."""


def show_live(scene: Scene, file: Path, name: str) -> int:
    """Show the chunks that a run has found so far, where they lie now.

    Args:
        scene: gets a collection of its own for the run.
        file: that tells of the chunks; see `contract.live`.
        name: of the collection.

    Returns:
        The number of chunks; 0 if the files are gone, and then nothing changes.
    """
    places = read_live_places(file)
    if not places:
        return 0
    known = {int(ob[names.PROP_INDEX]): ob for ob in _list_empties(scene, file)}
    collection = _get_collection(scene, file, name)
    empties = [ob for ob in _list_ours(scene, file) if ob.type == "EMPTY"]
    root = next((ob for ob in empties if names.PROP_INDEX not in ob), None)
    if root is None:
        root = _make_empty(collection, file, name, "PLAIN_AXES")
    _mend(scene, file, root)
    for number, place in enumerate(places):
        empty = known.get(number)
        if empty is None:
            chunk = read_live_chunk(file, number)
            if chunk is None:
                return 0
            known[number] = empty = _add_chunk(root, collection, file, number, chunk)
        empty.matrix_basis = Matrix(to_blender_similarity(place).tolist())
    empties = [known[number] for number in range(len(places))]
    _move_camera(_get_camera(scene, root, collection, file, empties[0]), empties, places)
    return len(places)


def remove_live() -> int:
    """Remove what shows runs; return the number of objects."""
    gone = [ob for ob in bpy.data.objects if _LIVE in ob]
    data = {ob.data for ob in gone if ob.data is not None}
    actions = {
        ob.animation_data.action
        for ob in gone
        if ob.animation_data is not None and ob.animation_data.action is not None
    }
    collections = {collection for ob in gone for collection in ob.users_collection}
    bpy.data.batch_remove([*gone])
    bpy.data.batch_remove([block for block in (*data, *actions) if not block.users])
    empty = [c for c in collections if _LIVE in c and not c.all_objects]
    bpy.data.batch_remove(empty)
    return len(gone)


def _list_ours(scene: Scene, file: Path) -> Iterable[Object]:
    text = str(file)
    return (ob for ob in scene.objects if ob.get(_LIVE) == text)


def _list_empties(scene: Scene, file: Path) -> list[Object]:
    ours = _list_ours(scene, file)
    return [ob for ob in ours if ob.type == "EMPTY" and names.PROP_INDEX in ob]


def _mend(scene: Scene, file: Path, root: Object) -> None:
    """Put what has lost its parent below the root, and drop points whose chunk was deleted."""
    for ob in list(_list_ours(scene, file)):
        if ob.parent is None and ob != root:
            if ob.type == "MESH":
                bpy.data.batch_remove([ob.data, ob])
            else:
                ob.parent = root


def _get_collection(scene: Scene, file: Path, name: str) -> Collection:
    text = str(file)
    for collection in scene.collection.children_recursive:
        if collection.get(_LIVE) == text:
            return collection
    collection = bpy.data.collections.new(name)
    collection[_LIVE] = text
    scene.collection.children.link(collection)
    return collection


def _mark(ob: Object, collection: Collection, file: Path) -> Object:
    ob[names.PROP_ROLE] = names.ROLE_LIVE
    ob[_LIVE] = str(file)
    collection.objects.link(ob)
    return ob


def _make_empty(collection: Collection, file: Path, name: str, display: str) -> Object:
    empty = bpy.data.objects.new(name, None)
    empty.empty_display_type = display
    return _mark(empty, collection, file)


def _add_chunk(
    root: Object, collection: Collection, file: Path, number: int, chunk: LiveChunk
) -> Object:
    """Make the empty of a chunk and the points below it."""
    first, last = int(chunk.frames[0]), int(chunk.frames[-1])
    name = f"frames {first} to {last}"
    empty = _make_empty(collection, file, name, "CUBE")
    empty.parent = root
    empty[names.PROP_INDEX] = number
    empty.empty_display_size = _EMPTY_SIZE * _measure(chunk)
    # the cameras too, so that moving all of them reads no file
    empty[names.PROP_W2C] = chunk.w2c.ravel().tolist()
    empty[names.PROP_FRAME] = chunk.frames.tolist()
    empty[names.PROP_K] = chunk.K[0].ravel().tolist()
    empty[names.PROP_SIZE] = chunk.size.tolist()
    mesh = bpy.data.meshes.new(f"{name} points")
    mesh.vertices.add(len(chunk.points))
    positions = np.ascontiguousarray(to_blender_points(chunk.points), np.float32)
    mesh.attributes["position"].data.foreach_set("vector", positions.ravel())
    rgba = np.full((len(chunk.colours), 4), 255, np.uint8)
    rgba[:, :3] = chunk.colours
    fill_byte_colours(mesh.attributes.new(names.ATTR_COLOUR, "BYTE_COLOR", "POINT"), rgba)
    mesh.color_attributes.active_color = mesh.color_attributes[names.ATTR_COLOUR]
    mesh.update()
    points = _mark(bpy.data.objects.new(mesh.name, mesh), collection, file)
    points.parent = empty
    mesh.materials.append(get_point_material())
    modifier = points.modifiers.new(names.NODES_POINTS, "NODES")
    modifier.node_group = get_point_nodes()
    set_modifier_input(modifier, INPUT_MATERIAL, mesh.materials[0])
    set_modifier_input(modifier, INPUT_RADIUS, _RADIUS * _measure(chunk))
    return empty


def _measure(chunk: LiveChunk) -> float:
    """Return the median distance of the points from the middle camera, units of the chunk."""
    if not len(chunk.points):
        return 1.0
    pose = chunk.w2c[len(chunk.w2c) // 2]
    centre = -pose[:3, :3].T @ pose[:3, 3]
    return float(np.median(np.linalg.norm(chunk.points - centre, axis=1))) or 1.0


def _get_camera(
    scene: Scene, root: Object, collection: Collection, file: Path, first: Object
) -> Object:
    """Return the camera of the run; it gets the lens of the first chunk when it is made."""
    for ob in _list_ours(scene, file):
        if ob.type == "CAMERA":
            return ob
    camera = bpy.data.objects.new("camera so far", bpy.data.cameras.new("camera so far"))
    _mark(camera, collection, file)
    camera.parent = root
    camera.rotation_mode = "QUATERNION"
    camera.data.display_size = _CAMERA_SIZE * first.matrix_basis.to_scale().x
    camera.data.display_size *= first.empty_display_size
    lens = to_blender_lens(np.reshape(first[names.PROP_K], (3, 3)), *first[names.PROP_SIZE])
    camera.data.sensor_fit = "HORIZONTAL"
    camera.data.lens, camera.data.shift_x, camera.data.shift_y = (
        lens.lens_mm,
        lens.shift_x,
        lens.shift_y,
    )
    return camera


def _move_camera(camera: Object, empties: list[Object], places: list[Sim3]) -> None:
    """Let the camera go through all frames so far."""
    w2c = np.concatenate(
        [
            place.apply_to_w2c(np.reshape(empty[names.PROP_W2C], (-1, 4, 4)))
            for place, empty in zip(places, empties, strict=True)
        ]
    )
    frames = np.concatenate([np.array(empty[names.PROP_FRAME]) for empty in empties])
    matrices = to_blender_matrix(w2c)
    bag = find_channelbag(camera) or make_channelbag(camera, "camera so far")
    remove_curves(bag, _PATHS)
    add_curves(bag, "location", frames, matrices[:, :3, 3])
    quaternions = make_continuous(matrix_to_quaternion(matrices[:, :3, :3]))
    add_curves(bag, "rotation_quaternion", frames, quaternions)
