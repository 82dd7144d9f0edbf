# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario: the panel empty, with photos, running, failed and done; its parts; the cloud.

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
HALF_WAY = 0.45


def load(name: str) -> Any:  # noqa: ANN401 - a module of the extension
    """Import one of the extension's modules."""
    return importlib.import_module(f"{MODULE}.{name}")


def get_job() -> Any:  # noqa: ANN401 - the extension's own type
    """Return the job, as the panel sees it."""
    return load("da3_blender.client.session").current_job()


def pretend_machine() -> None:
    """Show estimates for a usual card, on which Base has run before."""
    measured = load("da3_blender.client.measured_speeds")
    estimates = load("da3_blender.contract.estimates")
    card = estimates.DeviceFacts("cuda", "RTX 3060", 8_000_000_000, 7_600_000_000)
    speeds = [estimates.MeasuredSpeed("RTX 3060", "da3-base", "bfloat16", 1.2e13, 0.35)]
    measured._Measured.device, measured._Measured.speeds = card, speeds  # noqa: SLF001


def settle(ui: Any) -> Iterator[float]:  # noqa: ANN401 - from the driver
    """Redraw until panels that move to their new place have arrived there."""
    for _ in range(10):
        ui.region("UI").tag_redraw()
        yield 0.3


def shoot_panels(ui: Any) -> Iterator[float]:  # noqa: ANN401 - from the driver
    """Take a picture of each sub-panel, alone and open.

    Blender remembers by its name which panel is open, so each gets another name for its picture.
    """
    names = ("models", "cameras_model", "sequence", "points", "scene", "splats")
    classes = {name: getattr(bpy.types, f"DA3_PT_{name}") for name in names}
    for cls in classes.values():
        bpy.utils.unregister_class(cls)
    for name, cls in classes.items():
        title = f"{cls.__name__}_open"
        opened = type(title, (cls,), {"bl_options": set(), "bl_idname": title})
        bpy.utils.register_class(opened)
        yield from settle(ui)
        ui.shot(f"panel-{name}")
        bpy.utils.unregister_class(opened)
    for cls in classes.values():
        bpy.utils.register_class(cls)
    yield 0.7


def prepare(settings: Any) -> None:  # noqa: ANN401 - the extension's own type
    """Make folders of photos and the script that is the engine."""
    engine = PHOTOS / "engine.sh"
    script = Path(__file__).with_name("demo_engine.py")
    engine.write_text(f'#!/bin/sh\nexec python3 "{script}"\n', encoding="utf-8")
    engine.chmod(0o755)
    for name in ("few", "balls"):
        (PHOTOS / name).mkdir()
        for number in range(11):
            (PHOTOS / name / f"{name}_{number:04d}.png").touch()
    (PHOTOS / "models").mkdir()
    (PHOTOS / "models" / "da3-base.safetensors").write_bytes(b"0" * 1000)
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    settings.output_folder = str(PHOTOS / "results")
    # so that pictures show short paths
    bpy.ops.wm.save_as_mainfile(filepath=str(PHOTOS / "house.blend"))


def steps(ui: Any) -> Iterator[float]:  # noqa: ANN401 - from the driver
    """Walk through one failure and one success."""
    settings = bpy.context.scene.da3
    prepare(settings)
    yield from ui.sidebar("DA3")
    yield from settle(ui)
    ui.shot("panel-set-up")
    preferences = bpy.context.preferences.addons[MODULE].preferences
    preferences.engine_python = str(PHOTOS / "engine.sh")
    yield from settle(ui)
    ui.shot("panel-idle")
    settings.input_path = "//few"
    yield from settle(ui)
    ui.shot("panel-no-model")
    preferences.checkpoint = str(PHOTOS / "models")
    with ui.context():
        bpy.ops.da3.refresh_models()
        bpy.ops.da3.reconstruct()
    yield from ui.wait_for(lambda: get_job().is_over, timeout=30)
    yield from settle(ui)
    ui.shot("panel-error")
    yield from drop_photos(ui)
    yield from choose_photos(ui, settings)
    yield from shoot_panels(ui)
    settings.make_mesh = True
    with ui.context():
        bpy.ops.da3.reconstruct()
    yield from ui.wait_for(lambda: get_job().fraction > HALF_WAY, timeout=30)
    yield 0.3
    ui.shot("panel-running")
    yield from ui.wait_for(lambda: "balls" in bpy.data.collections, timeout=60)
    yield from settle(ui)
    ui.shot("panel-result")
    ui.shot("solid")
    yield from look_around(ui)


def drop_photos(ui: Any) -> Iterator[float]:  # noqa: ANN401 - from the driver
    """Show what a drop on the view asks, and take nothing."""
    ui.move(330, 330)
    with ui.context():
        bpy.ops.da3.drop_files(
            "INVOKE_DEFAULT",
            directory=str(PHOTOS / "balls"),
            files=[{"name": "balls_0003.png"}],
        )
    yield 2.0
    ui.shot("panel-drop")
    yield from ui.key("ESC")
    yield 0.5


def choose_photos(ui: Any, settings: Any) -> Iterator[float]:  # noqa: ANN401 - see above
    """Choose the photos and wait until the engine has looked at them."""
    with ui.context():
        bpy.ops.da3.choose_folder(directory="//balls")
    yield 0.8
    ui.shot("panel-checking")
    yield from ui.wait_for(lambda: settings.is_checked, timeout=20)
    pretend_machine()
    yield from settle(ui)
    ui.shot("panel-photos")


def look_around(ui: Any) -> Iterator[float]:  # noqa: ANN401 - from the driver
    """Look through a camera in every kind of view, then undo everything."""
    with ui.context():
        bpy.ops.da3.dismiss()
        bpy.ops.da3.look_through(camera="balls_0010.png")
    yield from settle(ui)
    ui.shot("camera")
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
