# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Splat objects: a mesh of vertices whose attributes are the Gaussians, and back.

Runs in Blender. The mesh is the only truth: its modifier makes quads for renders, the viewport is
drawn from the same attributes. Vertices can be selected, deleted and moved like any others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import bpy
import numpy as np

from ..contract import names
from ..contract.errors import EngineError, ErrorCode
from ..splats.axes import bake_matrix, from_blender_cloud, to_blender_cloud
from ..splats.cloud import COEFFICIENTS, GaussianCloud, normalise_rotations
from . import splat_inputs as inputs
from .compat import set_modifier_input
from .splat_material import get_splat_material
from .splat_nodes import get_splat_nodes

if TYPE_CHECKING:
    from bpy.types import Mesh, NodesModifier, Object
    from numpy.typing import NDArray

_WIDTHS: Final = {"FLOAT": 1, "INT": 1, "FLOAT_VECTOR": 3, "QUATERNION": 4}
_EXTRAS: Final = {
    "views": (names.ATTR_VIEW, "INT"),
    "confidence": (names.ATTR_CONFIDENCE, "FLOAT"),
    "border": (names.ATTR_BORDER, "FLOAT"),
    "far": (names.ATTR_FAR, "FLOAT"),
    "neighbours": (names.ATTR_NEIGHBOURS, "INT"),
}
"""Attributes that not every cloud has: name of the field, of the attribute, its kind."""
_POINT_SHARE: Final = 0.002
"""Radius of the points of Look 0: share of the middle half of the cloud."""


def make_splat_object(name: str, cloud: GaussianCloud, *, trim_border: float = 0.0) -> Object:
    """Make an object of a cloud; the caller links it.

    Args:
        name: of the object and its mesh.
        cloud: OpenCV world.
        trim_border: hides what is nearer to the edge of its photo, as a share of that side;
            `splats.result_arrays.NETWORK_BORDER` for clouds of the network.

    Returns:
        An object at the origin, in Blender's world.
    """
    mesh = make_splat_mesh(name, to_blender_cloud(cloud))
    ob = bpy.data.objects.new(mesh.name, mesh)
    ob[names.PROP_ROLE] = names.ROLE_SPLATS
    modifier = ob.modifiers.new(names.NODES_SPLATS, "NODES")
    modifier.node_group = get_splat_nodes()
    set_modifier_input(modifier, inputs.MATERIAL, get_splat_material())
    set_modifier_input(modifier, inputs.DEGREE, cloud.degree)
    set_modifier_input(modifier, inputs.TRIM_BORDER, trim_border)
    set_modifier_input(modifier, inputs.POINT_SIZE, _find_point_size(cloud.positions))
    # quads that face the camera light and shade nothing sensibly
    ob.visible_shadow = ob.visible_diffuse = ob.visible_volume_scatter = False
    return ob


def update_modifier(ob: Object) -> NodesModifier:
    """Give an object whose modifier is of an older version the present one, with its settings.

    Args:
        ob: splats with their modifier.

    Returns:
        The modifier.
    """
    modifier = inputs.find_splat_modifier(ob)
    group = get_splat_nodes()
    if modifier.node_group != group:
        known = inputs.read_inputs(ob)
        modifier.node_group = group
        for name, value in known.items():
            set_modifier_input(modifier, name, value)
        ob.update_tag()
    return modifier


def make_splat_mesh(name: str, cloud: GaussianCloud) -> Mesh:
    """Make the mesh of a cloud that is in Blender's world already."""
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(cloud.count)
    mesh.attributes["position"].data.foreach_set("vector", _flatten(cloud.positions))
    _store(mesh, names.ATTR_SCALE, "FLOAT_VECTOR", cloud.scales)
    _store(mesh, names.ATTR_ROTATION, "QUATERNION", normalise_rotations(cloud.rotations))
    _store(mesh, names.ATTR_OPACITY, "FLOAT", cloud.opacities)
    for index in range(cloud.harmonics.shape[2]):
        name = names.ATTR_HARMONICS[index]
        _store(mesh, name, "FLOAT_VECTOR", cloud.harmonics[:, :, index])
    _store(mesh, names.ATTR_RANK, "INT", rank_by_importance(cloud))
    for field, (name, kind) in _EXTRAS.items():
        values = getattr(cloud, field)
        if values is not None:
            _store(mesh, name, kind, values)
    mesh.update()
    return mesh


def rank_by_importance(cloud: GaussianCloud) -> NDArray[np.int32]:
    """Order Gaussians by how much of a picture they can fill: opacity times largest face.

    Returns:
        (G,) int32, place in the order, 0 is the most important.
    """
    largest = cloud.scales.max(axis=1)
    face = cloud.scales.prod(axis=1) / np.maximum(cloud.scales.min(axis=1), np.float32(1e-30))
    weight = cloud.opacities * face + np.float32(1e-6) * largest * largest
    rank = np.empty(cloud.count, np.int32)
    rank[np.argsort(-weight, kind="stable")] = np.arange(cloud.count, dtype=np.int32)
    return rank


def read_splat_object(ob: Object, *, in_world: bool = True) -> GaussianCloud:
    """Read the cloud back from an object, all Gaussians, whatever is shown.

    Args:
        ob: of ours.
        in_world: with the transform of the object.

    Returns:
        OpenCV world.

    Raises:
        EngineError: INPUT_MISMATCH; an attribute was removed.
    """
    cloud = read_splat_mesh(ob.data)
    if in_world:
        cloud = bake_matrix(cloud, np.array(ob.matrix_world))
    return from_blender_cloud(cloud)


def read_splat_mesh(mesh: Mesh, degree: int = 3) -> GaussianCloud:
    """Read the cloud of a mesh, object space of Blender, with at most this degree.

    Raises:
        EngineError: INPUT_MISMATCH; an attribute was removed.
    """
    bands = [n for n in COEFFICIENTS[: degree + 1] if _has_harmonics(mesh, n)]
    number = bands[-1] if bands else 1
    harmonics = np.empty((len(mesh.vertices), 3, number), np.float32)
    for index in range(number):
        harmonics[:, :, index] = _load(mesh, names.ATTR_HARMONICS[index], "FLOAT_VECTOR")
    return GaussianCloud(
        _load(mesh, "position", "FLOAT_VECTOR"),
        _load(mesh, names.ATTR_SCALE, "FLOAT_VECTOR"),
        _load(mesh, names.ATTR_ROTATION, "QUATERNION"),
        _load(mesh, names.ATTR_OPACITY, "FLOAT"),
        harmonics,
        **{
            field: _load(mesh, name, kind) if name in mesh.attributes else None
            for field, (name, kind) in _EXTRAS.items()
        },
    )


def _has_harmonics(mesh: Mesh, number: int) -> bool:
    return all(name in mesh.attributes for name in names.ATTR_HARMONICS[:number])


def _flatten(values: NDArray[np.generic]) -> NDArray[np.generic]:
    kind = np.int32 if np.issubdtype(values.dtype, np.integer) else np.float32
    return np.ascontiguousarray(values, kind).ravel()


def _store(mesh: Mesh, name: str, kind: str, values: NDArray[np.generic]) -> None:
    key = "vector" if kind == "FLOAT_VECTOR" else "value"
    mesh.attributes.new(name, kind, "POINT").data.foreach_set(key, _flatten(values))


def _load(mesh: Mesh, name: str, kind: str) -> NDArray[np.generic]:
    attribute = mesh.attributes.get(name)
    count = len(mesh.vertices)
    if attribute is None or attribute.data_type != kind or len(attribute.data) != count:
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"{mesh.name} has no attribute {name} of the kind {kind} on its vertices.",
            "Undo what removed it, or import the splats again.",
        )
    width = _WIDTHS[kind]
    values = np.empty(count * width, np.int32 if kind == "INT" else np.float32)
    attribute.data.foreach_get("vector" if kind == "FLOAT_VECTOR" else "value", values)
    return values.reshape(count, width) if width > 1 else values


def _find_point_size(positions: NDArray[np.float32]) -> float:
    spread = np.quantile(positions, (0.25, 0.75), axis=0)
    return max(float((spread[1] - spread[0]).max()) * _POINT_SHARE, 1e-6)
