# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the tools for splats can be used.

Runs in Blender.
"""

from bpy.types import Context, Operator

from ..da3_blender.scene.splat_files import find_chosen
from ..da3_blender.scene.splat_inputs import find_splat_modifier


def can_use_splats(operator: type[Operator], context: Context) -> bool:
    """Need splats with their modifier, and Object Mode."""
    chosen = find_chosen(context)
    if not chosen:
        operator.poll_message_set("Select one or more splat objects")
        return False
    if any(find_splat_modifier(ob) is None for ob in chosen):
        operator.poll_message_set("The modifier DA3 Splats was removed: import the splats again")
        return False
    if context.mode != "OBJECT":
        operator.poll_message_set("Go to Object Mode")
        return False
    if any(ob.library is not None or ob.data.library is not None for ob in chosen):
        operator.poll_message_set("Linked from another file: make the object and its data local")
        return False
    return True
