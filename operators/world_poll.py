# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the tools for a reconstruction's world can be used, and how they end.

Runs in Blender.
"""

from collections.abc import Callable

from bpy.types import Context, Object, Operator

from ..da3_blender.contract.errors import EngineError
from ..da3_blender.scene.lookup import find_root
from ..da3_blender.scene.world_points import Places, find_places
from .failures import report_failure


def can_move_world(operator: type[Operator], context: Context) -> bool:
    """Need a reconstruction in the scene that can be moved."""
    root = find_root(context)
    if root is None:
        operator.poll_message_set("There is no reconstruction in this scene yet")
        return False
    if root.library is not None:
        operator.poll_message_set("Linked from another file: make the reconstruction local")
        return False
    return True


def run_with_places(
    operator: Operator, context: Context, need: int, act: Callable[[Object, Places], str]
) -> set[str]:
    """Find the places that the user means, act on them, and report the sentence that comes back.

    Args:
        operator: may have `use_cursor`.
        context: of the operator.
        need: places that the tool works with.
        act: gets the root and the places.
    """
    root = find_root(context)
    use_cursor = bool(getattr(operator, "use_cursor", False))
    try:
        places = find_places(context, root, need, use_cursor=use_cursor)
        text = act(root, places)
    except EngineError as error:
        return report_failure(operator, context, error)
    operator.report({"INFO"}, text)
    return {"FINISHED"}
