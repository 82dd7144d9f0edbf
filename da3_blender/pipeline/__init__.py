# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the user's photos to a results folder: the whole way, stage by stage.

Runs in the engine, in the worker process or on the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .run import Pipeline


def create_pipeline() -> Pipeline:
    """Return a pipeline that keeps its model loaded between runs."""
    from .run import Pipeline  # loads the heavy libraries

    return Pipeline()
