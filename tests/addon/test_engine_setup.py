# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set up, check, repair and remove the engine with Blender's operators: a tiny engine, real uv."""

import functools
import sys
import time
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

from tests.addon.recording_layout import Drawn, RecordingLayout  # noqa: E402
from tests.installer.tiny_index import TinyIndex, make_wheels, write_lock  # noqa: E402
from tests.installer.unpacked_uv import unpack_uv  # noqa: E402

MODULE = "bl_ext.user_default.da3_reconstruction"


@pytest.fixture(scope="module")
def uv(tmp_path_factory):
    return unpack_uv(tmp_path_factory.mktemp("uv"))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    make_wheels(folder)
    return folder


@pytest.fixture
def preferences(extension, scene, monkeypatch, tmp_path, uv, wheels):
    """Preferences of a machine without an engine; set-ups make the tiny one."""
    write_lock(tmp_path / "lock", wheels)
    monkeypatch.setenv("TINY_LOCK", str(tmp_path / "lock"))
    lock = extension("da3_blender.contract.engine_lock")
    monkeypatch.setattr(lock, "INSTALLER_FOLDER", tmp_path / "lock")
    client = extension("da3_blender.client.engine_setup")
    tiny = functools.partial(client.SetupClient, module="tests.installer.serve_tiny")
    monkeypatch.setattr(client, "SetupClient", tiny)
    access = extension("operators.engine_setup_access")
    monkeypatch.setattr(access, "find_bundled_uv", lambda: str(uv))
    monkeypatch.setattr(access, "explain_unsupported", lambda: "")
    found = bpy.context.preferences.addons[MODULE].preferences
    found.engine_python = ""
    found.engine_folder = str(tmp_path / "home")
    found.python_source = "blender"
    found.refresh_engine()
    yield found
    client.shut_down_setup()
    for name in ("engine_folder", "packages_folder", "packages_source", "python_source"):
        found.property_unset(name)
    for name in ("default_index", "torch_index"):
        found.property_unset(name)
    found.refresh_engine()


@pytest.fixture
def draw(extension):
    """Return a function that draws the box of the set-up as the panel would."""
    box = extension("panels.setup_box")

    def draw_box():
        layout = RecordingLayout()
        box.draw_setup(layout, bpy.context)
        return Drawn(layout)

    return draw_box


@pytest.fixture
def slow_set_up(extension, preferences, wheels):
    """A set-up in progress that takes some seconds, from an index of this machine."""
    index = TinyIndex(wheels, speed=1_500_000)
    access = extension("operators.engine_setup_access")
    setup = extension("da3_blender.client.engine_setup")
    preferences.default_index = preferences.torch_index = index.url
    request = access._make_request
    bpy.context.preferences.system.use_online_access = True
    job = setup.start_setup(sys.executable, request(bpy.context, "install"))
    tick_until(setup, lambda: job.stage == "Downloading")
    yield job
    setup.shut_down_setup()
    index.stop()


def tick_until(setup, condition, limit_s=30):
    end_s = time.monotonic() + limit_s
    while not condition():
        setup.tick_setup()
        assert time.monotonic() < end_s, setup.current_setup()
        time.sleep(0.05)


def read_failure(extension):
    properties = extension("da3_blender.scene.properties")
    return properties.read_failure(bpy.context.window_manager)


def test_without_an_engine_the_panel_offers_the_set_up(extension, preferences, draw):
    assert not extension("da3_blender.client.engine_setup").is_engine_ready()
    assert extension("panels.setup_box").has_setup_news()
    drawn = draw()
    assert drawn.operators == ["da3.install_engine"]
    assert "One step is left" in drawn.text


def test_from_a_folder_to_an_engine_and_away_again(extension, preferences, draw, wheels):
    setup = extension("da3_blender.client.engine_setup")
    home = Path(preferences.engine_folder)
    assert bpy.ops.da3.install_engine(folder=str(wheels)) == {"FINISHED"}
    assert setup.is_engine_ready()
    assert preferences.packages_source == "folder"
    python = extension("da3_blender.client.launch").find_engine_python("", home)
    assert python.is_relative_to(home / "engine")
    drawn = draw()
    assert "The engine works" in drawn.text
    assert "torch 9.1+cpu" in drawn.text
    assert drawn.operators == ["da3.dismiss_setup"]
    bpy.ops.da3.dismiss_setup()
    assert draw().items == []
    assert not extension("panels.setup_box").has_setup_news()

    assert bpy.ops.da3.check_engine() == {"FINISHED"}
    assert "All files are complete" in draw().text

    next((home / "engine").rglob("bulk.bin")).unlink()
    with pytest.raises(RuntimeError, match=r"bulk\.bin is missing"):
        bpy.ops.da3.check_engine()
    drawn = draw()
    assert "Check did not work" in drawn.text
    assert "da3.repair_engine" in drawn.operators
    assert bpy.ops.da3.repair_engine() == {"FINISHED"}
    assert "Installed again: bulky" in draw().text

    assert bpy.ops.da3.remove_engine() == {"FINISHED"}
    assert not setup.is_engine_ready()
    assert not (home / "engine").exists()
    assert "were freed" in draw().text
    bpy.ops.da3.dismiss_setup()
    assert draw().operators == ["da3.install_engine"]


def test_nothing_is_downloaded_without_permission(extension, preferences, draw):
    bpy.context.preferences.system.use_online_access = False
    with pytest.raises(RuntimeError, match="Blender may not go online"):
        bpy.ops.da3.install_engine()
    assert extension("da3_blender.client.engine_setup").current_setup() is None
    dialog = extension("operators.setup_dialog")
    layout = RecordingLayout()
    dialog.draw_setup_plan(layout, preferences)
    assert "screen.userpref_show" in Drawn(layout).operators
    bpy.context.preferences.system.use_online_access = True
    layout = RecordingLayout()
    dialog.draw_setup_plan(layout, preferences)
    assert "screen.userpref_show" not in Drawn(layout).operators


def test_the_dialog_tells_size_disk_and_licences(extension, preferences):
    layout = RecordingLayout()
    extension("operators.setup_dialog").draw_setup_plan(layout, preferences)
    text = Drawn(layout).text
    assert "Download: about 0." in text or "Download: about 2." in text
    assert "are free" in text
    assert preferences.engine_folder in text
    for word in ("PyTorch", "COLMAP", "FFmpeg", "LGPL", "BSD-3"):
        assert word in text
    preferences.packages_source = "folder"
    layout = RecordingLayout()
    extension("operators.setup_dialog").draw_setup_plan(layout, preferences)
    assert "Download: none" in Drawn(layout).text


def test_a_missing_folder_is_a_sentence(preferences, tmp_path):
    with pytest.raises(RuntimeError, match="There is no folder"):
        bpy.ops.da3.install_engine(folder=str(tmp_path / "none"))


def test_a_failure_is_shown_with_its_remedy(preferences, draw, tmp_path, extension):
    (tmp_path / "empty").mkdir()
    with pytest.raises(RuntimeError, match=r"lacks alpha 1\.0"):
        bpy.ops.da3.install_engine(folder=str(tmp_path / "empty"))
    drawn = draw()
    assert "Set-up did not work" in drawn.text
    assert {"da3.install_engine", "da3.open_preferences"} <= set(drawn.operators)
    assert read_failure(extension) is None  # it is shown once, not twice


def test_while_it_runs_it_can_be_watched_and_stopped(extension, preferences, draw, slow_set_up):
    setup = extension("da3_blender.client.engine_setup")
    drawn = draw()
    assert "Downloading" in drawn.text
    assert drawn.operators == ["da3.cancel_setup"]
    assert not bpy.ops.da3.install_engine.poll()
    assert not bpy.ops.da3.remove_engine.poll()
    tick_until(setup, lambda: " of 3 MB" in slow_set_up.detail)
    bpy.ops.da3.cancel_setup()
    tick_until(setup, lambda: slow_set_up.is_over)
    preferences.refresh_engine()
    drawn = draw()
    assert "Set-up was stopped" in drawn.text
    assert "not finished" in drawn.text
    assert "da3.install_engine" in drawn.operators


def test_a_run_waits_for_the_set_up(preferences, slow_set_up, extension, tmp_path):
    bpy.context.scene.da3.input_path = str(tmp_path)
    access = extension("operators.engine_access")
    errors = extension("da3_blender.contract.errors")
    with pytest.raises(errors.EngineError) as caught:
        access.connect("")
    assert caught.value.code is errors.ErrorCode.BUSY
    assert "in progress" in caught.value.message


def test_preferences_draw_everything(extension, preferences):
    preferences.show_setup = True
    preferences.python_source = "chosen"
    layout = RecordingLayout()

    class Stand:
        """Has the layout where the preferences have it, and their properties."""

        def __getattr__(self, name):
            return getattr(preferences, name)

        bl_rna = preferences.bl_rna

    cls = type(preferences)
    stand = Stand()
    stand.layout = layout
    stand.draw_setup_options = functools.partial(cls.draw_setup_options, stand)
    stand.draw_source = functools.partial(cls.draw_source, stand)
    cls.draw(stand, bpy.context)
    drawn = Drawn(layout)
    shown = drawn.list_kind("prop")
    for name in ("engine_folder", "packages_source", "python_path", "torch_index", "device"):
        assert name in shown
    assert "da3.check_engine" in drawn.operators
    preferences.show_setup = False
