# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models in Blender: the list, the preference for commercial use, the download."""

import time

import pytest

bpy = pytest.importorskip("bpy")

from da3_blender.contract.models import MODELS  # noqa: E402 - bpy first


@pytest.fixture
def preferences(extension, scene):
    found = extension("operators.extension").get_preferences(bpy.context)
    yield found
    found.commercial_only = False


@pytest.fixture
def online(scene):
    system = bpy.context.preferences.system
    system.use_online_access = True
    if not bpy.app.online_access:
        pytest.skip("online access is turned off for this Blender")
    yield
    system.use_online_access = False


def test_the_list_shows_size_and_licence_of_each_model(scene):
    items = {item.identifier: item for item in scene.da3.bl_rna.properties["model"].enum_items}
    assert list(items) == list(MODELS)
    assert items["da3-base"].name == "Base (0.54 GB)"
    assert items["da3-giant"].name == "Giant 1.1 (5.4 GB, non-commercial)"
    assert "CC BY-NC 4.0" in items["da3-giant"].description
    assert scene.da3.model == "da3-base"


def test_commercial_use_only_refuses_the_others(extension, scene, preferences, tmp_path):
    make = extension("da3_blender.scene.settings_from_scene").make_run_settings
    error = extension("da3_blender.contract.errors").EngineError
    scene.da3.input_path = "/x/house"
    scene.da3.model = "da3-giant"
    assert make(scene, preferences, tmp_path).model == "da3-giant"
    preferences.commercial_only = True
    for cameras in ("AUTO", "DA3", "COLMAP"):  # COLMAP takes depth from a model that is there
        scene.da3.cameras = cameras
        with pytest.raises(error, match="forbids commercial use"):
            make(scene, preferences, tmp_path)
    scene.da3.model = "da3-base"
    assert make(scene, preferences, tmp_path).model == "da3-base"


def test_nothing_is_downloaded_without_online_access(engine, scene):
    bpy.context.preferences.system.use_online_access = False
    with pytest.raises(RuntimeError, match="Allow Online Access"):
        bpy.ops.da3.download_model(model="da3-base")


@pytest.mark.usefixtures("online")
def test_a_run_fetches_only_what_any_use_is_allowed_of(extension, scene, preferences, tmp_path):
    make = extension("da3_blender.scene.settings_from_scene").make_run_settings
    scene.da3.input_path = "/x/house"
    preferences.allow_downloads = True
    may = {}
    for scene.da3.model in ("da3-small", "da3-giant"):
        may[scene.da3.model] = make(scene, preferences, tmp_path).may_download
    preferences.allow_downloads = False
    assert may == {"da3-small": True, "da3-giant": False}


@pytest.mark.usefixtures("online")
def test_a_download_runs_in_the_engine(engine, extension, scene):
    assert bpy.ops.da3.download_model(model="da3-small") == {"FINISHED"}
    job = extension("da3_blender.client.session").current_job()
    assert (job.model, job.state.value) == ("da3-small", "done")
    assert job.summary["bytes"] == 7
    scene.da3.model = "da3-base"
    bpy.ops.da3.download_model()
    assert extension("da3_blender.client.session").current_job().model == "da3-base"


@pytest.mark.usefixtures("online")
def test_a_failed_download_is_shown_with_its_remedy(engine, extension, scene):
    with pytest.raises(RuntimeError, match="The hub sleeps"):
        bpy.ops.da3.download_model(model="da3-giant")
    read_failure = extension("da3_blender.scene.properties").read_failure
    failure = read_failure(bpy.context.window_manager)
    remedy = extension("panels.status").find_remedy(failure.code)
    assert remedy.operator == "da3.download_model"


@pytest.mark.usefixtures("online")
def test_a_licence_that_the_user_excludes_is_not_downloaded(engine, extension, preferences):
    session = extension("da3_blender.client.session")
    before = session.current_job()
    preferences.commercial_only = True
    with pytest.raises(RuntimeError, match="forbids commercial use"):
        bpy.ops.da3.download_model(model="da3-large")
    with pytest.raises(RuntimeError, match="no model called"):
        bpy.ops.da3.download_model(model="da3-huge")
    assert session.current_job() is before


def test_the_timer_follows_a_download_to_its_end_and_builds_nothing(engine, extension, scene):
    access = extension("operators.engine_access")
    follow = extension("operators.download_model").follow_download
    job = access.connect(str(engine)).start_fetch("da3-base")
    end_s = time.monotonic() + 20
    while follow(job.id) is not None:
        assert time.monotonic() < end_s
        time.sleep(0.02)
    assert job.state.value == "done"
    assert follow("another") is None
    assert not bpy.data.objects
