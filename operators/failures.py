# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell the user about a failure: in the panel, and as a report of the operator.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..da3_blender.scene.properties import show_failure

if TYPE_CHECKING:
    from bpy.types import Context, Operator

    from ..da3_blender.contract.errors import EngineError


def report_failure(operator: Operator, context: Context, error: EngineError) -> set[str]:
    """Show an error and return the operator's answer; scripts get a RuntimeError of it."""
    show_failure(context.window_manager, error)
    operator.report({"ERROR"}, f"{error.message} {error.hint}")
    return {"CANCELLED"}
