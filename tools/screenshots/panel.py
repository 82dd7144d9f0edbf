# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario: the panel idle, running, failed and done; the cloud in solid and material preview.

Runs in a Blender with a window; `steps(ui)` is a generator, each `yield` gives Blender time.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE = "bl_ext.user_default.da3_reconstruction"
PHOTOS = Path(bpy.app.tempdir)
HALF_WAY = 0.4


def get_job() -> Any:  # noqa: ANN401 - the extension's own type
    """Return the job, as the panel sees it."""
    return importlib.import_module(f"{MODULE}.da3_blender.client.session").current_job()


def steps(ui: Any) -> Iterator[float]:  # noqa: ANN401 - from the driver
    """Walk through one failure and one success."""
    engine = PHOTOS / "engine.sh"
    script = Path(__file__).with_name("demo_engine.py")
    engine.write_text(f'#!/bin/sh\nexec python3 "{script}"\n', encoding="utf-8")
    engine.chmod(0o755)
    bpy.context.preferences.addons[MODULE].preferences.engine_python = str(engine)
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    settings = bpy.context.scene.da3
    settings.output_folder = str(PHOTOS / "results")
    yield from ui.sidebar("DA3")
    ui.shot("panel-idle")
    for name in ("few", "balls"):
        (PHOTOS / name).mkdir()
        for number in range(11):
            (PHOTOS / name / f"{name}_{number:04d}.png").touch()
    settings.input_path = str(PHOTOS / "few")
    yield 0.5
    with ui.context():
        bpy.ops.da3.reconstruct()
    yield from ui.wait_for(lambda: get_job().is_over, timeout=30)
    yield 1
    ui.shot("panel-error")
    settings.input_path = str(PHOTOS / "balls")
    with ui.context():
        bpy.ops.da3.reconstruct()
    yield from ui.wait_for(lambda: get_job().fraction > HALF_WAY, timeout=30)
    yield 0.3
    ui.shot("panel-running")
    yield from ui.wait_for(lambda: "balls" in bpy.data.collections, timeout=30)
    yield 1.5
    ui.shot("solid")
    with ui.context():
        bpy.ops.da3.look_through(camera="balls_0010.png")
    yield 1
    ui.shot("solid-camera")
    ui.shading("WIREFRAME")
    yield 1
    ui.shot("wireframe-camera")
    ui.shading("MATERIAL")
    yield 25
    ui.shot("material-camera")
    ui.move(500, 650)
    yield from ui.key("Z", ctrl=True)
    yield 1
    if "balls" in bpy.data.collections:
        message = "one undo of the build must remove everything"
        raise RuntimeError(message)
    ui.shot("undone")
