# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario: the chunks of a long run appear as objects, a loop moves them, and they go.

Runs in a Blender with a window and the extension; `steps(ui)` is a generator, each `yield` gives
Blender time. LONG_SHOT names the folder that `long_shot_data.py` has written.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from mathutils import Euler, Vector

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE = "bl_ext.user_default.da3_reconstruction"
_EARLY = 3
"""Chunks of the first picture."""
_DISTANCE = 1.0


def steps(ui: Any) -> Iterator[float]:  # noqa: ANN401 - from the driver
    """Start the run, let it go on to three places, and cancel it."""
    data = Path(os.environ["LONG_SHOT"])
    work = Path(tempfile.mkdtemp(prefix="long-shot-"))
    states = [json.loads(f.read_text()) for f in sorted(data.glob("state_*.json"))]
    chunks = max(len(state["chunks"]) for state in states)
    go = data / "go"
    go.write_text("0", encoding="utf-8")
    engine = work / "engine.sh"
    script = Path(__file__).with_name("long_shot_engine.py")
    engine.write_text(f'#!/bin/sh\nexec python3 "{script}"\n', encoding="utf-8")
    engine.chmod(0o755)
    (work / "ring").mkdir()
    for number in range(states[0]["views"]):
        (work / "ring" / f"ring_{number:04d}.png").touch()
    (work / "models").mkdir()
    (work / "models" / "da3-base.safetensors").write_bytes(b"0" * 1000)
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    settings = bpy.context.scene.da3
    settings.output_folder = str(work / "results")
    settings.check_photos = False
    bpy.ops.wm.save_as_mainfile(filepath=str(work / "ring.blend"))
    preferences = bpy.context.preferences.addons[MODULE].preferences
    preferences.engine_python = str(engine)
    preferences.checkpoint = str(work / "models")
    settings.input_path = "//ring"
    settings.input_kind = "SEQUENCE"
    yield from ui.sidebar("DA3")
    yield 1.0
    with ui.context():
        bpy.ops.da3.refresh_models()
        bpy.ops.da3.reconstruct()
    for name, number in (
        ("long-shot-early", _EARLY),
        ("long-shot-open", chunks),
        ("long-shot-closed", len(states)),
    ):
        go.write_text(str(number), encoding="utf-8")
        wanted = min(number, chunks)
        yield from ui.wait_for(lambda wanted=wanted: count_chunks() >= wanted, timeout=60)
        yield 2.0
        frame_all()
        yield 3.0
        ui.shot(name)
    sys_write(f"chunks {count_chunks()}, objects {len(bpy.data.objects)}")
    with ui.context():
        bpy.ops.da3.cancel()
    yield from ui.wait_for(lambda: count_chunks() == 0, timeout=30)
    yield 1.0
    ui.shot("long-shot-gone")
    sys_write(f"after the end: {sorted(ob.name for ob in bpy.data.objects)}")


def sys_write(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"long shot: {text}\n")
    sys.stdout.flush()


def count_chunks() -> int:
    """Return how many chunks are objects."""
    objects = bpy.data.objects
    return sum(ob.type == "EMPTY" and "da3_live" in ob and "da3_index" in ob for ob in objects)


def frame_all() -> None:
    """Look at all points of the run from above."""
    clouds = [ob for ob in bpy.data.objects if "da3_live" in ob and ob.type == "MESH"]
    corners = [ob.matrix_world @ Vector(corner) for ob in clouds for corner in ob.bound_box]
    low, high = (Vector(map(choose, zip(*corners, strict=True))) for choose in (min, max))
    area = next(
        a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D"
    )
    view = area.spaces.active.region_3d
    view.view_rotation = Euler((0.75, 0, 0.5)).to_quaternion()
    view.view_location = (low + high) / 2
    view.view_distance = _DISTANCE * (high - low).length
