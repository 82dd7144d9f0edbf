# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The root of a reconstruction: an empty that moves, turns and sizes everything below it.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from ..contract import names

if TYPE_CHECKING:
    from bpy.types import Context, Object

    from .extent import Extent
    from .reconstruction import Reconstruction


def make_root(context: Context, reconstruction: Reconstruction, extent: Extent) -> Object:
    """Make the collection and the empty, named after the result."""
    collection = bpy.data.collections.new(reconstruction.name)
    context.scene.collection.children.link(collection)
    root = bpy.data.objects.new(reconstruction.name, None)
    root.empty_display_type = "PLAIN_AXES"
    root.empty_display_size = 0.1 * extent.size
    root[names.PROP_ROLE] = names.ROLE_ROOT
    collection.objects.link(root)
    return root


def update_root(root: Object, reconstruction: Reconstruction) -> None:
    """Tell on the root which result it shows, and the facts that the panel reads."""
    root[names.PROP_RESULT] = str(reconstruction.folder)
    root[names.PROP_INPUT] = reconstruction.input_key
    root[names.PROP_FACTS] = _list_facts(reconstruction)


def _list_facts(reconstruction: Reconstruction) -> dict[str, Any]:
    doubtful = [view for view in reconstruction.views if view.doubt]
    return {
        **reconstruction.facts,
        "is_metric": int(reconstruction.facts.get("is_metric", False)),
        "cameras": len(reconstruction.views),
        "points": len(reconstruction.points),
        "has_depth": int(reconstruction.maps is not None),
        "doubtful": [view.name for view in doubtful],
        "reasons": [view.doubt for view in doubtful],
    }
