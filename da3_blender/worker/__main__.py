# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the worker with the real pipeline.

Runs in the engine, as `python -P -s -u -m da3_blender.worker`.
"""

from __future__ import annotations

from .loop import Pipeline, serve


def make_pipeline() -> Pipeline:
    """Load the heavy libraries and build the pipeline; called at the first run only."""
    from ..pipeline import create_pipeline  # torch must not delay `ready`

    return create_pipeline()


if __name__ == "__main__":
    serve(make_pipeline)
