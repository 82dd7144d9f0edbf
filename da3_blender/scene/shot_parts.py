# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a shot's set-up adds to the scene: collections, real shapes, test objects, a light.

Runs in Blender. Everything carries its role and the name of its part, so that a second set-up
finds it again and the removal takes it away.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

import bpy
import numpy as np
from mathutils import Matrix

from ..contract import names
from .compat import get_material_nodes
from .lookup import list_parts
from .modifier_copy import copy_modifiers
from .shot_place import make_standing

if TYPE_CHECKING:
    from bpy.types import Collection, Context, Material, Mesh, Object, Scene

    from .shot_place import ShotPlace

PART: Final = "da3_part"  # on what a set-up has made: which part it is
_OWNER: Final = "da3_owner"  # on a root and the collections of its set-up: a word of their own
_SHAPE: Final = "da3_shape"  # on a catcher or holdout: the object whose mesh it has
WHOLE: Final = "Set-up"
OBJECTS: Final = "CG"
CATCHER: Final = "Shadow Catcher"
HOLDOUT: Final = "Holdout"
_SIDES: Final = 48  # of the cone
_CHECKS: Final = 4.0  # along a side of the cube
_SUN: Final = 3.0
_MATERIALS: Final = {"Cube": (0.8, 0.3), "Cone": (0.75, 0.25), "Catcher": (0.8, 0.8)}


def make_collections(context: Context, root: Object) -> dict[str, Collection]:
    """Make or find the collections of a set-up: the whole, and CG, catcher and holdout in it."""
    if _OWNER not in root:
        root[_OWNER] = uuid.uuid4().hex
    whole = find_collection(root, WHOLE)
    if whole is None:
        whole = _make_collection(root, WHOLE)
        context.scene.collection.children.link(whole)
    found = {WHOLE: whole}
    for part in (OBJECTS, CATCHER, HOLDOUT):
        found[part] = find_collection(root, part) or _make_collection(root, part)
        if found[part].name not in whole.children:
            whole.children.link(found[part])
    return found


def find_collection(root: Object, part: str) -> Collection | None:
    """Return the collection of one part of a root's set-up.

    A pointer to the root would keep it in the file after the user has deleted it.
    """
    for collection in bpy.data.collections:
        if collection.get(PART) == part and collection.get(_OWNER) == root.get(_OWNER):
            return collection
    return None


def list_collections(scene: Scene) -> list[Collection]:
    """Return all collections of set-ups in a scene, the inner ones first."""
    found = [item for item in scene.collection.children_recursive if PART in item]
    return sorted(found, key=lambda item: item[PART] == WHOLE)


def list_set_up(root: Object) -> list[Object]:
    """Return the objects that a set-up has made."""
    return list_parts(root, names.ROLE_SET_UP)


def make_real_shapes(
    root: Object, place: ShotPlace, collections: dict[str, Collection]
) -> tuple[int, str]:
    """Give catcher and holdout the real shapes: surfaces, else proxies, else a floor.

    Returns:
        How many shapes there are, and what they are.
    """
    shapes = list_parts(root, names.ROLE_MESH) or list_parts(root, names.ROLE_PROXY)
    wanted = {ob.name_full: ob for ob in shapes}
    for part in (CATCHER, HOLDOUT):
        known = {str(ob.get(_SHAPE, "")): ob for ob in _list_part(root, part)}
        for name, ob in known.items():
            if name not in (wanted or {"": None}):
                bpy.data.objects.remove(ob)
        for name in wanted.keys() - known.keys():
            _copy_shape(root, wanted[name], part, collections[part])
        if not wanted and "" not in known:
            _make_floor(root, place, part, collections[part])
        for ob in _list_part(root, part):
            _paint_grey(ob)  # a rebuild gives its mesh the photos again
            ob.is_shadow_catcher = part == CATCHER
    if not shapes:
        return 1, "a floor"
    return len(shapes), "surface" if len(shapes) == 1 else "surfaces"


def make_test_objects(root: Object, place: ShotPlace, collection: Collection) -> int:
    """Stand a checker cube and a cone on the floor, if they were never made.

    Returns:
        How many were made.
    """
    made = 0
    for part, side, make in (("Cube", 0.0, _make_cube), ("Cone", 1.4, _make_cone)):
        if _list_part(root, part):
            continue
        ob = _make_object(root, part, make(f"DA3 {part}", place.width), collection)
        ob.data.materials.append(_make_checker(part))
        _place(root, ob, make_standing(place, place.spot + place.right * side * place.width))
        made += 1
    return made


def make_light(context: Context, root: Object, place: ShotPlace, collection: Collection) -> bool:
    """Add a sun where the scene has no light; tell whether it did."""
    if any(ob.type == "LIGHT" for ob in context.scene.objects):
        return False
    data = bpy.data.lights.new("DA3 Sun", "SUN")
    data.energy, data.angle = _SUN, np.radians(2)
    ob = _make_object(root, "Sun", data, collection)
    tilt = Matrix.Rotation(np.radians(35), 4, "Y") @ Matrix.Rotation(np.radians(-20), 4, "X")
    above = place.spot + place.floor.normal * 6 * place.width
    _place(root, ob, make_standing(place, above) @ tilt)
    return True


def _list_part(root: Object, part: str) -> list[Object]:
    return [ob for ob in list_set_up(root) if ob.get(PART) == part]


def _make_collection(root: Object, part: str) -> Collection:
    title = f"{root.name} {part}" if part == WHOLE else part
    collection = bpy.data.collections.new(title)
    collection[PART], collection[_OWNER] = part, root[_OWNER]
    return collection


def _make_object(root: Object, part: str, data: bpy.types.ID, collection: Collection) -> Object:
    ob = bpy.data.objects.new(data.name, data)
    ob[names.PROP_ROLE], ob[PART] = names.ROLE_SET_UP, part
    ob.parent = root
    collection.objects.link(ob)
    return ob


def _place(root: Object, ob: Object, world: Matrix) -> None:
    ob.matrix_basis = root.matrix_world.inverted_safe() @ world


def _copy_shape(root: Object, shape: Object, part: str, collection: Collection) -> None:
    """Add a second object of a mesh that keeps its modifiers but not its photo."""
    ob = _make_object(root, part, shape.data, collection)
    ob.name = f"{shape.name} {part.lower()}"
    ob[_SHAPE] = shape.name_full
    ob.parent, ob.matrix_parent_inverse = shape.parent, shape.matrix_parent_inverse
    ob.matrix_basis = shape.matrix_basis
    copy_modifiers(shape, ob)
    ob.display_type = "WIRE"


def _paint_grey(ob: Object) -> None:
    """Give an object its own grey: photos give light, and on that no shadow is seen."""
    for slot in ob.material_slots:
        slot.link, slot.material = "OBJECT", _make_checker("Catcher")


def _make_floor(root: Object, place: ShotPlace, part: str, collection: Collection) -> None:
    half = place.size / 2
    corners = [(-half, -half, 0), (half, -half, 0), (half, half, 0), (-half, half, 0)]
    mesh = bpy.data.meshes.new("DA3 Floor")
    mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
    mesh.materials.append(_make_checker("Catcher"))
    ob = _make_object(root, part, mesh, collection)
    ob.display_type = "WIRE"
    _place(root, ob, make_standing(place, place.middle))


def _make_cube(name: str, width: float) -> Mesh:
    half = width / 2
    corners = [(x, y, z) for z in (0, width) for y in (-half, half) for x in (-half, half)]
    faces = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (1, 3, 7, 5), (3, 2, 6, 7), (2, 0, 4, 6)]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(corners, [], faces)
    return mesh


def _make_cone(name: str, width: float) -> Mesh:
    angles = np.linspace(0, 2 * np.pi, _SIDES, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles), np.zeros(_SIDES)], axis=1) * width * 0.4
    faces = [(i, (i + 1) % _SIDES, _SIDES) for i in range(_SIDES)]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(
        [*ring.tolist(), (0, 0, width * 1.2)], [], [*faces, tuple(range(_SIDES))[::-1]]
    )
    return mesh


def _make_checker(part: str) -> Material:
    """Return the material of a part: a checker, or plain grey where both greys are one."""
    name = f"DA3 {part}"
    known = bpy.data.materials.get(name)
    if known is not None and known.get(PART) == part:
        return known
    material = bpy.data.materials.new(name)
    material[PART] = part
    tree = get_material_nodes(material)
    shader = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled")
    light, dark = _MATERIALS[part]
    shader.inputs["Base Color"].default_value = (light, light, light, 1)
    shader.inputs["Roughness"].default_value = 0.6
    if light != dark:
        checker = tree.nodes.new("ShaderNodeTexChecker")
        checker.location = (-220, 300)
        for name, grey in (("Color1", light), ("Color2", dark)):
            checker.inputs[name].default_value = (grey, grey, grey, 1)
        checker.inputs["Scale"].default_value = _CHECKS
        coordinates = tree.nodes.new("ShaderNodeTexCoord")
        coordinates.location = (-420, 300)
        tree.links.new(coordinates.outputs["Generated"], checker.inputs["Vector"])
        tree.links.new(checker.outputs["Color"], shader.inputs["Base Color"])
    return material
