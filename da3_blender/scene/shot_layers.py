# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""View layers of a shot's set-up: computer graphics before the plate, and its shadows alone.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..contract import names
from .shot_parts import CATCHER, HOLDOUT, OBJECTS, WHOLE

if TYPE_CHECKING:
    from bpy.types import Collection, LayerCollection, Object, Scene, ViewLayer

FOREGROUND: Final = "Plate FG"
SHADOW: Final = "Shadow"


def make_layers(
    scene: Scene, root: Object, collections: dict[str, Collection], *, has_shadows: bool
) -> list[str]:
    """Make or set the two view layers; the others are not rendered any more.

    Args:
        scene: of the shot.
        root: of the reconstruction, whose own collection is not rendered.
        collections: of the set-up.
        has_shadows: the render engine can catch them.

    Returns:
        Names of the layers that were rendered until now.
    """
    before = [layer.name for layer in scene.view_layers if layer.use and not is_ours(layer)]
    own = root.users_collection[0]
    for name in (FOREGROUND, SHADOW):
        layer = find_layer(scene, name)
        if layer is None:
            layer = scene.view_layers.new(name)
            layer[names.PROP_ROLE] = name
        for child in layer.layer_collection.children:
            _set_flags(child, name, collections, own)
        layer.use = name == FOREGROUND or has_shadows
    for layer in scene.view_layers:
        if not is_ours(layer):
            layer.use = False
            _hide_twins(layer, collections)
    return before


def find_layer(scene: Scene, name: str) -> ViewLayer | None:
    """Return a view layer of the set-up, whatever it is called now."""
    return next((item for item in scene.view_layers if item.get(names.PROP_ROLE) == name), None)


def is_ours(layer: ViewLayer) -> bool:
    """Tell whether a set-up has made a view layer."""
    return layer.get(names.PROP_ROLE) in (FOREGROUND, SHADOW)


def _hide_twins(layer: ViewLayer, collections: dict[str, Collection]) -> None:
    """Show the real shapes once in a layer in which one works."""
    for child in layer.layer_collection.children:
        if child.collection == collections[WHOLE]:
            for part in child.children:
                if part.collection == collections[HOLDOUT]:
                    part.exclude = True


def _set_flags(
    child: LayerCollection, name: str, collections: dict[str, Collection], own: Collection
) -> None:
    """Set what a collection is for a view layer: seen, held out, or only a giver of shadows."""
    is_shadow = name == SHADOW
    if child.collection == own:
        child.exclude = True
    elif child.collection == collections[WHOLE]:
        for part in child.children:
            if part.collection == collections[CATCHER]:
                part.exclude = not is_shadow
            elif part.collection == collections[HOLDOUT]:
                part.exclude, part.holdout = is_shadow, True
            elif part.collection == collections[OBJECTS]:
                part.indirect_only = is_shadow
    else:
        child.indirect_only = is_shadow
        for inner in child.children:
            _set_flags(inner, name, collections, own)
