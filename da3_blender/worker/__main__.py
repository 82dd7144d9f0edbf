# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the worker with the real pipeline.

Runs in the engine, as `python -P -s -u -m da3_blender.worker`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..contract.errors import EngineError
from .loop import Pipeline, serve

if TYPE_CHECKING:
    from ..contract.estimates import DeviceFacts


def make_pipeline() -> Pipeline:
    """Load the heavy libraries and build the pipeline; called at the first run only."""
    from ..pipeline import create_pipeline  # torch must not delay `ready`

    return create_pipeline()


def describe_device(name: str) -> DeviceFacts | None:
    """Describe the device that a setting names; None in an engine without torch, or without it."""
    try:
        from ..inference import devices
    except ImportError:
        return None
    try:
        return devices.describe_device(devices.choose_device(name))
    except (EngineError, RuntimeError, OSError):  # a driver that does not work, or no such device
        logging.getLogger(__name__).info("The device %s cannot be described", name, exc_info=True)
        return None


if __name__ == "__main__":
    serve(make_pipeline, describe_device)
