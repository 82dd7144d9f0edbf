# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario: the sample photos, the real engine, the button; then every way to look at the result.

Runs in a Blender with a window; `steps(ui)` is a generator, each `yield` gives Blender time.
"""

from __future__ import annotations

import importlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
MODULE = "bl_ext.user_default.da3_reconstruction"
HALF_WAY = 0.3


def get_job() -> Any:  # noqa: ANN401 - the extension's own type
    """Return the job, as the panel sees it."""
    return importlib.import_module(f"{MODULE}.da3_blender.client.session").current_job()


def steps(ui: Any) -> Iterator[float]:  # noqa: ANN401 - from the driver
    """Press Reconstruct, keep working, look at what came."""
    preferences = bpy.context.preferences.addons[MODULE].preferences
    preferences.engine_python = str(ROOT / ".env" / "engine" / "bin" / "python")
    settings = bpy.context.scene.da3
    settings.output_folder = str(Path(bpy.app.tempdir) / "results")
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    yield from ui.sidebar("DA3")
    photos = Path(tempfile.gettempdir()) / "courtyard"
    shutil.copytree(ROOT / "samples" / "courtyard", photos)
    settings.input_path = str(photos)
    yield 0.5
    with ui.context():
        bpy.ops.da3.reconstruct("INVOKE_DEFAULT")
    yield from ui.wait_for(lambda: get_job().fraction > HALF_WAY, timeout=120)
    ui.shot("1-running")
    yield from ui.wait_for(lambda: "courtyard" in bpy.data.collections, timeout=200)
    yield 1.5
    ui.shot("2-solid")
    with ui.context():
        bpy.ops.da3.look_through(camera="courtyard_07.jpg")
    yield 1
    ui.shot("3-through-the-camera")
    space = ui.area().spaces.active
    space.region_3d.view_perspective = "PERSP"
    space.region_3d.view_distance *= 0.8
    yield 0.5
    ui.shading("MATERIAL")
    yield 30
    ui.shot("4-material-preview")
    ui.shading("RENDERED")
    yield 20
    ui.shot("5-eevee")
    blend = Path(bpy.app.tempdir) / "saved.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    yield 2
    yield from ui.sidebar("DA3")
    ui.shading("SOLID")
    yield 1
    ui.shot("6-opened-again")
