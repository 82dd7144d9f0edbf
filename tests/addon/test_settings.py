# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel's choices are those of the contract, with the same defaults, and all arrive."""

from dataclasses import fields

import pytest

bpy = pytest.importorskip("bpy")

from da3_blender.contract import settings as contract  # noqa: E402 - bpy first

# Where a field of RunSettings comes from, if not from a property of the same name.
ELSEWHERE = {"inputs", "output", "may_download", "device", "precision", "seed"}
ELSEWHERE |= {"compile_network"}
ELSEWHERE |= {"check_photos", "reuse", "only_views", "renew_cameras"}


@pytest.fixture
def make(extension, scene, tmp_path):
    module = extension("da3_blender.scene.settings_from_scene")
    preferences = extension("operators.extension").get_preferences(bpy.context)

    def make_settings():
        return module.make_run_settings(bpy.context.scene, preferences, tmp_path / "user")

    return make_settings


def test_every_setting_of_a_run_is_in_the_panel(scene):
    names = {field.name for field in fields(contract.RunSettings)} - ELSEWHERE
    assert names <= set(scene.da3.bl_rna.properties.keys())


def test_defaults_are_those_of_the_contract(scene, make):
    scene.da3.input_path = "/x/house"
    made = make()
    for field in fields(contract.RunSettings):
        if field.name not in ("inputs", "output"):
            value = getattr(made, field.name)
            expected = (
                pytest.approx(field.default) if type(field.default) is float else field.default
            )
            assert value == expected, field.name


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("input_kind", contract.INPUT_KINDS),
        ("cameras", contract.CAMERA_SOLVERS),
        ("model", contract.MODELS),
        ("resize_method", contract.RESIZE_METHODS),
        ("reference_view", contract.REFERENCE_VIEWS),
        ("matching", contract.MATCHING),
        ("lens_model", contract.LENS_MODELS),
        ("refine_focal", contract.REFINE_FOCAL),
        ("world_up", contract.WORLD_UP),
        ("keyframes", contract.KEYFRAMES),
    ],
)
def test_lists_offer_what_the_contract_allows(scene, name, allowed):
    items = scene.da3.bl_rna.properties[name].enum_items
    assert sorted(item.identifier for item in items) == sorted(allowed)


def test_compiling_is_a_preference(extension, scene, make):
    scene.da3.input_path = "/x/house"
    preferences = extension("operators.extension").get_preferences(bpy.context)
    assert not make().compile_network
    preferences.compile_network = True
    try:
        assert make().compile_network
    finally:
        preferences.compile_network = False


@pytest.mark.parametrize("name", ["device", "precision"])
def test_preferences_offer_what_the_contract_allows(extension, name):
    preferences = extension("operators.extension").get_preferences(bpy.context)
    items = preferences.bl_rna.properties[name].enum_items
    assert sorted(item.identifier for item in items) == sorted(contract.CHOICES[name])


def test_choices_arrive(scene, make):
    settings = scene.da3
    settings.input_path = "/x/house"
    settings.model, settings.cameras, settings.max_points = "da3-giant", "DA3", 123
    settings.use_frame_range, settings.frame_start, settings.frame_end = True, 7, 9
    made = make()
    assert (made.model, made.cameras, made.max_points) == ("da3-giant", "DA3", 123)
    assert (made.frame_start, made.frame_end) == (7, 9)
    settings.use_frame_range = False
    assert (make().frame_start, make().frame_end) == (None, None)


def test_downloads_need_the_user_and_blender(extension, scene, make):
    preferences = extension("operators.extension").get_preferences(bpy.context)
    scene.da3.input_path = "/x/house"
    preferences.allow_downloads = True
    assert make().may_download == bpy.app.online_access
    preferences.allow_downloads = False
    assert make().may_download is False


def test_wrong_ranges_are_told(extension, scene, make):
    errors = extension("da3_blender.contract.errors")
    scene.da3.input_path = "/x/house"
    scene.da3.use_frame_range = True
    scene.da3.frame_start, scene.da3.frame_end = 9, 7
    with pytest.raises(errors.EngineError, match=r"last frame \(7\) comes before the first \(9\)"):
        make()
    scene.da3.input_path = ""
    with pytest.raises(errors.EngineError, match="There is no input"):
        make()


def test_results_lie_where_the_user_looks(scene, make, tmp_path):
    scene.da3.input_path = str(tmp_path / "clip one.mp4")
    assert make().output == str(tmp_path / "user" / "results" / "clip one")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert make().output == str(tmp_path / "da3_results" / "clip one")
    bpy.context.scene.da3.output_folder = "//mine"
    assert make().output == str(tmp_path / "mine" / "clip one")
    (tmp_path / "mine" / "clip one").mkdir(parents=True)
    assert make().output == str(tmp_path / "mine" / "clip one_002")
    (tmp_path / "mine" / "clip one_002").mkdir()
    assert make().output == str(tmp_path / "mine" / "clip one_003")


def test_chosen_files_are_absolute_and_named_after_their_folder(scene, make, tmp_path):
    bpy.ops.da3.choose_files(
        directory=str(tmp_path / "trip"), files=[{"name": "a.jpg"}, {"name": "b.jpg"}]
    )
    made = make()
    assert made.inputs == (str(tmp_path / "trip" / "a.jpg"), str(tmp_path / "trip" / "b.jpg"))
    assert made.output.endswith("trip")


def test_build_choices_arrive(extension, scene):
    make_options = extension("da3_blender.scene.settings_from_scene").make_build_options
    defaults = extension("da3_blender.scene.build_options").BuildOptions()
    assert make_options(scene) == defaults
    scene.da3.point_display, scene.da3.camera_mode = "POINTCLOUD", "EACH"
    scene.da3.show_photos = False
    made = make_options(scene)
    assert (made.point_display, made.camera_mode, made.show_photos) == ("POINTCLOUD", "EACH", False)
