# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where models lie on this machine, and looks at them that nobody waits for.

Runs in Blender's main thread.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ..da3_blender.client.launch import find_extension_root
from ..da3_blender.client.model_files import find_hub_cache
from ..da3_blender.client.model_shelf import begin_look, is_looking
from .engine_access import TICK_S
from .extension import get_preferences
from .job_timer import tag_panels

if TYPE_CHECKING:
    from bpy.types import Context


def find_own_place(context: Context) -> str:
    """Return the folder or file with weights that the preferences name; "" for none."""
    chosen = get_preferences(context).checkpoint.strip()
    return bpy.path.abspath(chosen) if chosen else ""


def find_download_folder(context: Context) -> str:
    """Return where downloads go: a folder of the user's own, or "" for the usual cache."""
    own = find_own_place(context)
    return own if own and Path(own).is_dir() else ""


def list_caches(context: Context) -> list[Path]:
    """Return the caches in which models may lie."""
    own = find_download_folder(context)
    cache = find_hub_cache(os.environ)
    return [Path(own), cache] if own else [cache]


def look_at_models(context: Context, removed: Path | None = None) -> None:
    """Look in a thread which models are there, and redraw the panels then.

    Args:
        context: for the preferences.
        removed: folder to delete afterwards, see `model_files.remove_model`.
    """
    own = find_own_place(context)
    begin_look(own, find_hub_cache(os.environ), find_extension_root(), removed)
    if not bpy.app.background:
        bpy.app.timers.register(_redraw_when_seen, first_interval=TICK_S, persistent=True)


def look_at_start() -> None:
    """Look once after Blender has started, as a timer."""
    look_at_models(bpy.context)


def _redraw_when_seen() -> float | None:
    tag_panels()
    return TICK_S if is_looking() else None
