# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Formulas as nodes: write `a * b + 1` and get the nodes of it.

Runs in Blender.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bpy.types import GeometryNodeTree, Node, NodeSocket

_ROWS = 24


@dataclass(frozen=True)
class Field:
    """A number per element: an output of a node, with the operators of numbers."""

    builder: FieldBuilder
    socket: NodeSocket

    def __add__(self, other: Field | float) -> Field:
        """Add."""
        return self.builder.compute("ADD", self, other)

    def __sub__(self, other: Field | float) -> Field:
        """Subtract."""
        return self.builder.compute("SUBTRACT", self, other)

    def __mul__(self, other: Field | float) -> Field:
        """Multiply."""
        return self.builder.compute("MULTIPLY", self, other)

    def __truediv__(self, other: Field | float) -> Field:
        """Divide; by 0 gives 0."""
        return self.builder.compute("DIVIDE", self, other)

    def __neg__(self) -> Field:
        """Change the sign."""
        return self.builder.compute("MULTIPLY", self, -1.0)


class FieldBuilder:
    """Adds nodes to a group and lays them out in columns.

    Args:
        group: the node group to fill.
    """

    def __init__(self, group: GeometryNodeTree) -> None:
        self.group = group
        self._count = 0

    def add(self, kind: str, inputs: dict[str | int, Any] | None = None, **settings: Any) -> Node:  # noqa: ANN401 - any setting
        """Add a node.

        Args:
            kind: its bl_idname.
            inputs: by name or place: a socket, a field, or a value.
            settings: properties of the node, set before the inputs.
        """
        node = self.group.nodes.new(kind)
        node.location = (180 * (self._count // _ROWS), -60 * (self._count % _ROWS))
        node.hide = True
        self._count += 1
        for name, value in settings.items():
            setattr(node, name, value)
        for key, value in (inputs or {}).items():
            self.connect(node, key, value)
        return node

    def connect(self, node: Node, key: str | int, value: Any) -> None:  # noqa: ANN401 - any value
        """Give an input of a node, by name or place among those that are on, a value."""
        socket = self._find(node, key)
        if isinstance(value, Field):
            value = value.socket
        if hasattr(value, "is_output"):
            self.group.links.new(value, socket)
        else:
            socket.default_value = value

    def choose(self, node: Node, setting: str, key: str, menu: str, label: str) -> None:
        """Choose from a list that is a setting of the node in 4.5 and a menu socket in 5.x."""
        if hasattr(node, setting):
            setattr(node, setting, key)
        else:
            self._find(node, menu).default_value = label

    def _find(self, node: Node, key: str | int) -> NodeSocket:
        sockets = [socket for socket in node.inputs if socket.enabled]
        if isinstance(key, int):
            return sockets[key]
        return next(socket for socket in sockets if socket.name == key)

    def get_output(self, node: Node, name: str | int = 0) -> Field:
        """Return an output of a node by name or place among those that are on."""
        sockets = [socket for socket in node.outputs if socket.enabled]
        if isinstance(name, int):
            return Field(self, sockets[name])
        return Field(self, next(socket for socket in sockets if socket.name == name))

    def compute(self, operation: str, *values: Field | float) -> Field:
        """Add a Math node."""
        node = self.add("ShaderNodeMath", dict(enumerate(values)), operation=operation)
        return self.get_output(node)

    def compute_vector(self, operation: str, *values: Any) -> Field:  # noqa: ANN401 - vectors, numbers
        """Add a Vector Math node; its first output that is on, a vector or a number."""
        node = self.add("ShaderNodeVectorMath", dict(enumerate(values)), operation=operation)
        return self.get_output(node)

    def compare(self, operation: str, a: Field | float, b: Field | float) -> Field:
        """Compare two numbers: GREATER_EQUAL and so on."""
        node = self.add("FunctionNodeCompare", {0: a, 1: b}, data_type="FLOAT", operation=operation)
        return self.get_output(node)

    def decide(self, operation: str, a: Field, b: Field) -> Field:
        """Combine two answers: AND, OR."""
        return self.get_output(
            self.add("FunctionNodeBooleanMath", {0: a, 1: b}, operation=operation)
        )

    def switch(self, kind: str, condition: Field, otherwise: Any, then: Any) -> Field:  # noqa: ANN401 - any kind
        """Choose; what is not chosen is not computed."""
        node = self.add(
            "GeometryNodeSwitch", {0: condition, 1: otherwise, 2: then}, input_type=kind
        )
        return self.get_output(node)

    def split(self, vector: Field) -> tuple[Field, Field, Field]:
        """Take a vector apart."""
        node = self.add("ShaderNodeSeparateXYZ", {0: vector})
        return tuple(self.get_output(node, place) for place in range(3))

    def join(self, x: Field | float, y: Field | float, z: Field | float) -> Field:
        """Make a vector of numbers."""
        return self.get_output(self.add("ShaderNodeCombineXYZ", {0: x, 1: y, 2: z}))

    def read(self, name: str, kind: str) -> Field:
        """Read an attribute of the geometry; 0 where there is none."""
        node = self.add("GeometryNodeInputNamedAttribute", {"Name": name}, data_type=kind)
        return self.get_output(node)

    def store(self, geometry: Field, name: str, kind: str, value: Field, domain: str) -> Field:
        """Store an attribute on the geometry."""
        node = self.add(
            "GeometryNodeStoreNamedAttribute",
            {"Geometry": geometry, "Name": name, "Value": value},
            data_type=kind,
            domain=domain,
        )
        return self.get_output(node)

    def remove(self, geometry: Field, pattern: str) -> Field:
        """Remove attributes whose names match a pattern with stars."""
        node = self.add("GeometryNodeRemoveAttribute", {"Geometry": geometry})
        self.choose(node, "pattern_mode", "WILDCARD", "Pattern Mode", "Wildcard")
        self._find(node, "Name").default_value = pattern
        return self.get_output(node)
