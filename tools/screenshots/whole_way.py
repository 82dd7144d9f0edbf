# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario: from the zip to a reconstructed scene, and how long Blender does not answer meanwhile.

Runs in a Blender with a window and a clean user folder; `steps(ui)` is a generator, each `yield`
gives Blender time. DA3_ZIP names the extension's zip, DA3_PACKAGES a folder that
`tools/collect_packages.py` filled, DA3_PYTHON a Python 3.11 to 3.13 for the engine, DA3_INPUT the
photos. It prints one line of JSON for each part.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

sys.path.append(str(Path(__file__).parent))
from pulse import OwnTime, Pulse

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE = "bl_ext.user_default.da3_reconstruction"
PATIENCE_S = 280
IDLE_S = 8.0
MANY = 1_000_000


def load(name: str) -> Any:  # noqa: ANN401 - a module of the extension
    """Import one of the extension's modules."""
    return importlib.import_module(f"{MODULE}.{name}")


def say(part: str, **facts: Any) -> None:  # noqa: ANN401 - JSON
    """Print one line of figures, with what else the machine is doing."""
    facts["load"] = [round(value, 1) for value in os.getloadavg()]
    sys.stdout.write(f"whole way, {part}: {json.dumps(facts)}\n")
    sys.stdout.flush()


def watch_own_code(own: OwnTime) -> None:
    """Measure the timers and the panels of the extension."""
    own.watch(load("operators.job_timer"), "follow_job")
    own.watch(load("da3_blender.client.engine").EngineClient, "tick")
    for name in dir(bpy.types):
        if name.startswith("DA3_PT_"):
            own.watch(getattr(bpy.types, name), "draw")
            if hasattr(getattr(bpy.types, name), "draw_header"):
                own.watch(getattr(bpy.types, name), "draw_header")


def redraw(pulse: Pulse, own: OwnTime, part: str) -> Iterator[float]:
    """Measure Blender alone: the same redraws as during a run, with nothing else going on."""
    pulse.forget()
    own.take()
    for _ in range(30):
        for area in bpy.context.window_manager.windows[0].screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
        yield 0.2
    say(part, **pulse.describe(), own_ms=own.take())


def install(ui: Any) -> Iterator[float]:  # noqa: ANN401 - from the driver
    """Install the zip as a drag into the window does."""
    with ui.context():
        bpy.ops.extensions.package_install_files(
            filepath=os.environ["DA3_ZIP"], repo="user_default", enable_on_install=True
        )
    yield 1.0
    if MODULE not in bpy.context.preferences.addons:
        message = "the zip is not enabled after its installation"
        raise RuntimeError(message)
    yield from ui.sidebar("DA3")
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    yield 1.0


def set_up(ui: Any, pulse: Pulse, own: OwnTime) -> Iterator[float]:  # noqa: ANN401 - see above
    """Make the engine from the folder of packages."""
    preferences = bpy.context.preferences.addons[MODULE].preferences
    preferences.python_source = "chosen"
    preferences.python_path = os.environ["DA3_PYTHON"]
    preferences.packages_source = "folder"
    preferences.packages_folder = os.environ["DA3_PACKAGES"]
    get = load("da3_blender.client.engine_setup").current_setup
    pulse.forget()
    with ui.context():
        bpy.ops.da3.install_engine("INVOKE_DEFAULT")
    yield 1.0
    yield from ui.key("RET")
    yield from ui.wait_for(lambda: get() is not None, timeout=10)
    yield from ui.wait_for(lambda: get().is_over, timeout=PATIENCE_S)
    say(
        "set-up",
        **pulse.describe(),
        own_ms=own.take(),
        seconds=round(get().elapsed_s(), 1),
        state=get().state.value,
        error=str(get().error),
    )
    ui.shot("way-1-set-up")


def reconstruct(ui: Any, pulse: Pulse, own: OwnTime) -> Iterator[float]:  # noqa: ANN401 - see above
    """Choose the photos, press the button, wait for the scene."""
    session = load("da3_blender.client.session")
    place = Path(bpy.app.tempdir)
    shutil.copytree(os.environ["DA3_INPUT"], place / "courtyard")
    bpy.ops.wm.save_as_mainfile(filepath=str(place / "scene.blend"))
    yield 1.0
    pulse.forget()
    with ui.context():
        bpy.ops.da3.dismiss_setup()
        bpy.ops.da3.choose_folder(directory="//courtyard")
    yield 3.0
    say("photos chosen", **pulse.describe(), own_ms=own.take())
    ui.shot("way-2-photos")
    bpy.context.scene.da3.model = "da3-tiny"  # it came with the extension
    yield 0.5
    pulse.forget()
    own.take()
    with ui.context():
        bpy.ops.da3.reconstruct("INVOKE_DEFAULT")
    job = session.current_job()
    yield from ui.wait_for(lambda: job.fraction > 0.5 or job.is_over, timeout=PATIENCE_S)
    first = pulse.describe()
    ui.shot("way-3-running")
    yield 0.1
    pulse.forget()
    yield from ui.wait_for(
        lambda: job.fraction > 0.98 or job.is_over, timeout=PATIENCE_S, every=0.02
    )
    rest = pulse.describe()
    say("run", first_half=first, second_half=rest, own_ms=own.take(), error=str(job.error))
    pulse.forget()
    yield from ui.wait_for(
        lambda: job.is_over and any(o.get("da3_role") == "root" for o in bpy.data.objects),
        timeout=PATIENCE_S,
    )
    yield 2.0
    counts = {
        role: sum(ob.get("da3_role") == role for ob in bpy.data.objects)
        for role in ("root", "camera", "points")
    }
    say(
        "scene",
        **pulse.describe(),
        own_ms=own.take(),
        seconds=round(job.elapsed_s(), 1),
        import_ms=round(1000 * pulse.left_out_s, 1),
        **counts,
    )
    ui.shot("window")
    yield from redraw(pulse, own, "only redraws, with the scene")


def write_many(folder: Path) -> None:
    """Write a result of a million points on a bowl, seen by two cameras."""
    writer = load("da3_blender.contract.result_folder").ResultWriter(folder)
    chance = np.random.default_rng(1)
    points = chance.normal(size=(MANY, 3)).astype(np.float32)
    points *= 2 / np.linalg.norm(points, axis=1, keepdims=True)
    w2c = np.tile(np.eye(4), (2, 1, 1))
    w2c[:, 2, 3] = 6
    w2c[1, 0, 3] = -1
    arrays = {
        "w2c": w2c,
        "K": np.tile([[60.0, 0, 32], [0, 60, 24], [0, 0, 1]], (2, 1, 1)),
        "points": points,
        "colours": np.clip(127 + 60 * points, 0, 255).astype(np.uint8),
        "confidence": np.ones(MANY, np.float32),
        "point_view": np.zeros(MANY, np.int32),
    }
    for name, array in arrays.items():
        writer.save_array(name, array)
    view = {"path": "", "width": 64, "height": 48, "frame": None, "photo": "none", "lens": 0}
    manifest = {"name": "million", "source": {"kind": "photos", "path": "million", "fps": None}}
    manifest |= {"solver": "test", "lost": [], "notes": [], "settings": {}}
    writer.finish({**manifest, "views": [{"name": "a.jpg", **view}, {"name": "b.jpg", **view}]})


def import_many(ui: Any, pulse: Pulse, own: OwnTime) -> Iterator[float]:  # noqa: ANN401 - see above
    """Build a million points, then look how long a window with them takes."""
    folder = Path(bpy.app.tempdir) / "million"
    write_many(folder)
    for ob in list(bpy.data.objects):
        bpy.data.objects.remove(ob)
    yield 1.0
    pulse.forget()
    yield 2.0
    before = pulse.describe()
    began_s = time.perf_counter()
    with ui.context():
        bpy.ops.da3.build_scene(folder=str(folder))
    took_s = time.perf_counter() - began_s
    pulse.forget()
    own.take()
    yield 1.0
    first = pulse.describe()
    pulse.forget()
    yield 4.0
    say(
        "import of a million points",
        import_s=round(took_s, 2),
        before=before,
        first_second_after=first,
        later=pulse.describe(),
        own_ms=own.take(),
    )
    ui.shot("way-5-million")
    yield from redraw(pulse, own, "only redraws, with a million points")


def steps(ui: Any) -> Iterator[float]:  # noqa: ANN401 - from the driver
    """Go the whole way."""
    yield from install(ui)
    pulse, own = Pulse(), OwnTime()
    watch_own_code(own)
    pulse.leave_out(load("operators.job_timer"), "build_job")
    pulse.forget()
    yield IDLE_S
    say("idle", **pulse.describe(), own_ms=own.take())
    yield from redraw(pulse, own, "only redraws")
    yield from set_up(ui, pulse, own)
    yield from reconstruct(ui, pulse, own)
    yield from import_many(ui, pulse, own)
