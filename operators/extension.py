# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the extension finds its preferences and its folders.

Runs in Blender.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import bpy

if TYPE_CHECKING:
    from bpy.types import AddonPreferences, Context

# `bl_ext.<repository>.<id>`: preferences and the user folder are found by this name only.
BASE_PACKAGE: Final = __package__.rpartition(".")[0]


def get_preferences(context: Context) -> AddonPreferences:
    """Return the preferences of the extension."""
    return context.preferences.addons[BASE_PACKAGE].preferences


def get_user_folder() -> Path:
    """Return the extension's own writable folder; it outlives updates."""
    return Path(bpy.utils.extension_path_user(BASE_PACKAGE, path="", create=True))


def get_engine_folder() -> Path:
    """Return the folder in which the engine's environment lies, or will lie."""
    return get_preferences(bpy.context).find_engine_folder()
