# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a splat object: the inputs of its modifier, which viewport and renders read.

Runs in Blender. They can be animated, copied and overridden like those of any modifier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import bpy

from ..contract import names
from .compat import draw_modifier_input, get_modifier_input, set_modifier_input

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpy.types import GeometryNodeTree, NodesModifier, Object, Scene, UILayout


class SplatInput(NamedTuple):
    """One input.

    Attributes:
        name: what the user reads.
        kind: the second half of the socket's type.
        default: of a new object.
        limits: least and largest; None for no limit.
        description: tooltip.
    """

    name: str
    kind: str
    default: Any
    limits: tuple[float, float] | None
    description: str


LOOK: Final = "Look"
POINT_SIZE: Final = "Point Size"
SIZE: Final = "Size"
BUDGET: Final = "Budget"
DEGREE: Final = "Degree"
LEAST_OPACITY: Final = "Min Opacity"
LARGEST_SIZE: Final = "Max Size"
LARGEST_STRETCH: Final = "Max Stretch"
LEAST_CONFIDENCE: Final = "Min Confidence"
CROP: Final = "Crop"
CROP_BOX: Final = "Crop Box"
FILTER: Final = "Pixel Filter"
RENDER_WIDTH: Final = "Render Width"
DISPLAY_VALUES: Final = "Display Values"
SORTED: Final = "Sorted"
DRAWN: Final = "Show in Viewport"
MATERIAL: Final = "Material"
TRIM_BORDER: Final = "Trim Border"
TRIM_FAR: Final = "Trim Far"
LEAST_NEIGHBOURS: Final = "Min Neighbours"
TINT: Final = "Tint"
SATURATION: Final = "Saturation"
BRIGHTNESS: Final = "Brightness"

LIMITS: Final = (
    *(BUDGET, LEAST_OPACITY, LARGEST_SIZE, LARGEST_STRETCH, LEAST_CONFIDENCE),
    *(TRIM_BORDER, TRIM_FAR, LEAST_NEIGHBOURS, CROP, CROP_BOX),
)
"""What decides which Gaussians show."""

INPUTS: Final = (
    SplatInput(LOOK, "Float", 1.0, (0, 1), "0 is points, 0.5 solid ellipsoids, 1 soft splats"),
    SplatInput(POINT_SIZE, "Float", 0.01, (0, 1e9), "Radius of the points of Look 0"),
    SplatInput(SIZE, "Float", 1.0, (0, 100), "Factor for the size of each Gaussian"),
    SplatInput(
        BUDGET, "Int", 0, (0, 2**31 - 1), "Most Gaussians to show, the important first; 0: all"
    ),
    SplatInput(DEGREE, "Int", 3, (0, 3), "How finely colour depends on the side; 0 is one colour"),
    SplatInput(LEAST_OPACITY, "Float", 0.0, (0, 1), "Fainter Gaussians are hidden"),
    SplatInput(LARGEST_SIZE, "Float", 0.0, (0, 1e9), "Larger Gaussians are hidden; 0: none"),
    SplatInput(LARGEST_STRETCH, "Float", 0.0, (0, 1e9), "More elongated ones are hidden; 0: none"),
    SplatInput(LEAST_CONFIDENCE, "Float", 0.0, None, "Less confident Gaussians are hidden"),
    SplatInput(
        CROP,
        "Bool",
        False,  # noqa: FBT003
        None,
        "Hide Gaussians outside of the crop box",
    ),
    SplatInput(CROP_BOX, "Object", None, None, "Its cube from -1 to 1 is the box"),
    SplatInput(
        FILTER, "Float", 0.3, (0, 10), "Variance in pixels that each splat gets, as in training"
    ),
    SplatInput(
        RENDER_WIDTH, "Int", 1920, (1, 1 << 20), "Width of the picture in pixels, for the filter"
    ),
    SplatInput(
        DISPLAY_VALUES,
        "Bool",
        False,  # noqa: FBT003
        None,
        "Blend as the files were trained; needs the view transform Raw. Off: mixes with lights",
    ),
    SplatInput(
        SORTED,
        "Bool",
        True,  # noqa: FBT003
        None,
        "Sort by depth, which EEVEE needs; Cycles does not",
    ),
    SplatInput(
        DRAWN,
        "Bool",
        False,  # noqa: FBT003
        None,
        "Make the quads of renders also in the viewport",
    ),
    SplatInput(MATERIAL, "Material", None, None, "Material of the quads"),
    # new ones at the end: the places of the older ones are what animations hold on to
    SplatInput(TRIM_BORDER, "Float", 0.0, (0, 0.5), "Hide this share at each edge of the photos"),
    SplatInput(
        TRIM_FAR, "Float", 1.0, (0, 1), "Hide what is behind this share of its photo; 1: nothing"
    ),
    SplatInput(
        LEAST_NEIGHBOURS,
        "Int",
        0,
        (0, 2**31 - 1),
        "Hide Gaussians with fewer others near them, once floaters were looked for; 0: none",
    ),
    SplatInput(
        TINT, "Color", (1.0, 1.0, 1.0, 1.0), None, "Colour that white Gaussians get, and others mix"
    ),
    SplatInput(SATURATION, "Float", 1.0, (0, 10), "0 is grey, 1 as it is, more is more colourful"),
    SplatInput(BRIGHTNESS, "Float", 1.0, (0, 100), "Factor of the colours, in display values"),
)


_SUBTYPES: Final = {
    LOOK: "FACTOR",
    LEAST_OPACITY: "FACTOR",
    TRIM_BORDER: "FACTOR",
    TRIM_FAR: "FACTOR",
    POINT_SIZE: "DISTANCE",
    LARGEST_SIZE: "DISTANCE",
}


def add_sockets(group: GeometryNodeTree) -> None:
    """Add geometry and all inputs to the interface of a new group."""
    new = group.interface.new_socket
    new("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    new("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    add_sockets_of(group, tuple(item.name for item in INPUTS))


def add_sockets_of(group: GeometryNodeTree, chosen: tuple[str, ...]) -> None:
    """Add some of the inputs to the interface of another group."""
    new = group.interface.new_socket
    for item in (item for item in INPUTS if item.name in chosen):
        socket = new(item.name, in_out="INPUT", socket_type=f"NodeSocket{item.kind}")
        socket.description = item.description
        if item.default is not None:
            socket.default_value = item.default
        if item.name in _SUBTYPES:
            socket.subtype = _SUBTYPES[item.name]
        if item.limits is not None:
            socket.min_value, socket.max_value = item.limits


def find_splat_modifier(ob: Object) -> NodesModifier | None:
    """Return the modifier of ours; None where the user has removed it."""
    for modifier in ob.modifiers:
        group = modifier.node_group if modifier.type == "NODES" else None
        is_ours = group is not None and names.PROP_STAMP in group
        if is_ours and group.name.startswith(names.NODES_SPLATS):
            return modifier
    return None


def find_splats(scene: Scene) -> Iterator[Object]:
    """Find all splat objects of a scene."""
    for ob in scene.objects:
        if ob.type == "MESH" and ob.get(names.PROP_ROLE) == names.ROLE_SPLATS:
            yield ob


def read_inputs(ob: Object) -> dict[str, Any]:
    """Return all settings of an object; defaults where it has no modifier."""
    modifier = find_splat_modifier(ob)
    if modifier is None:
        return {item.name: item.default for item in INPUTS}
    return {item.name: get_modifier_input(modifier, item.name, item.default) for item in INPUTS}


def draw_input(layout: UILayout, ob: Object, name: str) -> None:
    """Show a setting of an object in a panel."""
    modifier = find_splat_modifier(ob)
    if modifier is not None:
        draw_modifier_input(layout, modifier, name)


def match_render_width(scene: Scene) -> None:
    """Tell all splats of a scene how wide its picture is."""
    width = max(1, round(scene.render.resolution_x * scene.render.resolution_percentage / 100))
    for ob in find_splats(scene):
        modifier = find_splat_modifier(ob)
        if modifier is not None and get_modifier_input(modifier, RENDER_WIDTH, width) != width:
            set_modifier_input(modifier, RENDER_WIDTH, width)
            ob.update_tag()


@bpy.app.handlers.persistent
def _on_render(scene: Scene, *_arguments: object) -> None:
    match_render_width(scene)


def register() -> None:
    """Follow the size of the picture."""
    bpy.app.handlers.render_init.append(_on_render)


def unregister() -> None:
    """Stop following it."""
    bpy.app.handlers.render_init.remove(_on_render)
