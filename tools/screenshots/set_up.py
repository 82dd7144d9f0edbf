# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario: the engine from a folder of packages: missing, asked, running, stopped, done, checked.

Runs in a Blender with a window; `steps(ui)` is a generator, each `yield` gives Blender time.
DA3_PACKAGES names the folder, DA3_PYTHON a Python 3.11 to 3.13 for the engine.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

sys.path.append(str(Path(__file__).parent))
from pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE = "bl_ext.user_default.da3_reconstruction"
PATIENCE_S = 170


def get_setup() -> Any:  # noqa: ANN401 - the extension's own type
    """Return the set-up, as the panel sees it."""
    return importlib.import_module(f"{MODULE}.da3_blender.client.engine_setup").current_setup()


def report_times(pulse: Pulse, unpacking_s: float, idle_s: float) -> None:
    """Write how long Blender did not answer, at worst; software rendering takes most of it."""
    gaps = sorted(pulse.gaps)
    facts = {
        "longest_s": round(max(unpacking_s, pulse.longest_s), 4),
        "idle_longest_s": round(idle_s, 4),
        "99.9_percent_s": round(gaps[int(0.999 * len(gaps))], 4),
        "set_up_s": round(get_setup().elapsed_s(), 1),
        "state": get_setup().state.value,
        "error": str(get_setup().error),
    }
    sys.stdout.write(f"set-up: {json.dumps(facts)}\n")


def steps(ui: Any) -> Iterator[float]:  # noqa: ANN401 - from the driver
    """Take the pictures."""
    preferences = bpy.context.preferences.addons[MODULE].preferences
    preferences.python_source = "chosen"
    preferences.python_path = os.environ["DA3_PYTHON"]
    yield from ui.sidebar("DA3")
    yield 1.0
    ui.shot("set-up-missing")
    with ui.context():
        bpy.ops.da3.install_engine("INVOKE_DEFAULT")
    yield 1.0
    ui.shot("set-up-offline")
    yield from ui.key("ESC")
    preferences.packages_source = "folder"
    with tempfile.TemporaryDirectory() as empty:
        preferences.packages_folder = empty
        with ui.context():
            bpy.ops.da3.install_engine("EXEC_DEFAULT")
        yield from ui.wait_for(lambda: get_setup().is_over, timeout=30)
        yield 0.5
        ui.shot("set-up-failed")
    preferences.packages_folder = os.environ["DA3_PACKAGES"]
    failed = get_setup()
    with ui.context():
        bpy.ops.da3.install_engine("INVOKE_DEFAULT")
    yield 1.0
    ui.shot("set-up-dialog")
    pulse = Pulse()
    yield 5.0
    idle_s = pulse.longest_s
    pulse.forget()
    yield from ui.key("RET")
    yield from ui.wait_for(lambda: get_setup() is not failed, timeout=5)
    yield from ui.wait_for(lambda: get_setup().fraction > 0.7, timeout=60)
    unpacking_s = pulse.longest_s
    ui.shot("set-up-running")
    yield 0.1
    pulse.forget()
    yield from ui.wait_for(lambda: get_setup().is_over, timeout=PATIENCE_S)
    yield 0.5
    report_times(pulse, unpacking_s, idle_s)
    ui.shot("set-up-done")
    with ui.context():
        bpy.ops.da3.dismiss_setup()
    ui.area().type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    yield 0.5
    bpy.ops.preferences.addon_show(module=MODULE)
    preferences.show_setup = True
    yield 1.5
    ui.shot("set-up-preferences")
