# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy the modifiers of one object to another, with all their settings.

Runs in Blender.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from .compat import copy_modifier_inputs

if TYPE_CHECKING:
    from bpy.types import Modifier, Object


def copy_modifiers(source: Object, target: Object) -> list[str]:
    """Copy all modifiers in their order.

    Returns:
        Names of those that the target's kind of object cannot have.
    """
    lost = []
    for modifier in source.modifiers:
        try:
            copy = target.modifiers.new(modifier.name, modifier.type)
        except (RuntimeError, TypeError):
            copy = None
        if copy is None:
            lost.append(modifier.name)
            continue
        _copy_settings(modifier, copy)
        if modifier.type == "NODES":
            copy_modifier_inputs(modifier, copy)
    return lost


def _copy_settings(source: Modifier, target: Modifier) -> None:
    for prop in source.bl_rna.properties:
        if prop.is_readonly or prop.identifier in ("name", "type"):
            continue
        # Some settings refuse values that only fit together with another one.
        with suppress(AttributeError, TypeError, ValueError):
            setattr(target, prop.identifier, getattr(source, prop.identifier))
