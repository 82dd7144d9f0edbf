# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels show in each state, and that every name in them exists."""

import pytest

bpy = pytest.importorskip("bpy")

from da3_blender.contract.models import MODELS  # noqa: E402 - bpy first
from tests.addon.recording_layout import draw_panel  # noqa: E402
from tests.addon.results import write_photo, write_result  # noqa: E402

PANELS = ("main", "models", "cameras_model", "sequence", "points", "scene")
DEVICE = {"kind": "cuda", "name": "Some Card", "total_bytes": 8_000_000_000, "free_bytes": 7}


@pytest.fixture
def draw(extension):
    """Return a function that draws a panel by its name; nothing is known of models yet."""
    extension("da3_blender.client.model_shelf").forget()

    def draw_named(name):
        return draw_panel(getattr(extension(f"panels.{name}"), f"DA3_PT_{name}"))

    return draw_named


@pytest.fixture
def shelf(extension):
    """Say which models are here: shelf(da3_base=...); nothing is known before."""
    files = extension("da3_blender.client.model_files").ModelFiles
    module = extension("da3_blender.client.model_shelf")

    def put(**known):
        module._Shelf.files = {name.replace("_", "-"): files(**v) for name, v in known.items()}

    yield put
    module.forget()


@pytest.fixture
def machine(extension):
    """A machine with a known card, on which Base has run at a known speed."""
    module = extension("da3_blender.client.measured_speeds")
    estimates = extension("da3_blender.contract.estimates")
    extension("da3_blender.client.session").shut_down()
    module._Measured.device = estimates.DeviceFacts.from_json(DEVICE)
    module._Measured.speeds = [
        estimates.MeasuredSpeed("Some Card", "da3-base", "bfloat16", 2e13, 0.2)
    ]
    yield module
    module._Measured.device, module._Measured.speeds = None, []


@pytest.fixture
def photos(scene, tmp_path):
    for index in range(14):
        write_photo(tmp_path / "house" / f"{index:02d}.jpg")
    scene.da3.input_path = str(tmp_path / "house")
    return scene.da3


@pytest.mark.parametrize("name", PANELS)
def test_every_panel_draws_with_every_model_and_solver(scene, draw, name):
    for scene.da3.model in MODELS:
        for scene.da3.cameras in ("AUTO", "DA3", "COLMAP"):
            assert draw(name).items


def test_an_empty_panel_says_what_to_do(scene, draw):
    drawn = draw("main")
    assert "drop photos or a video" in drawn.text
    assert "da3.set_quality" not in drawn.operators
    assert "da3.reconstruct" in drawn.operators


def test_with_photos_it_shows_wishes_and_qualities(photos, draw, extension):
    drawn = draw("main")
    assert "14 photos" in drawn.text
    wishes = drawn.list_kind("prop")
    assert {"make_cameras", "make_points", "make_mesh"} <= set(wishes)
    assert drawn.operators.count("da3.set_quality") == 3
    assert "da3.check_photos" in drawn.operators


def test_qualities_set_their_values(photos, extension):
    qualities = extension("da3_blender.contract.quality").QUALITIES
    for quality in qualities:
        assert bpy.ops.da3.set_quality(level=quality.id) == {"FINISHED"}
        for name, value in quality.values.items():
            assert getattr(photos, name) == value
    defaults = extension("da3_blender.contract.settings").RunSettings((), "")
    balanced = {q.id: q for q in qualities}["BALANCED"].values
    assert all(getattr(defaults, n, v) == v for n, v in balanced.items())


def test_the_estimate_names_photos_memory_time_and_machine(photos, draw, machine, extension):
    models = extension("da3_blender.contract.models")
    needed = models.estimate_memory_bytes("da3-base", 14, 378, 504)  # photos of 4:3
    text = draw("main").text
    assert f"14 photos, Base: about {models.format_gigabytes(needed)} and " in text
    assert " s; you have 8.0 GB." in text
    photos.process_resolution = 2000
    photos.model = "da3-giant"
    bad = draw("main")
    assert "14 photos, Giant 1.1: about" in bad.text
    assert " s;" not in bad.text.split("Giant 1.1")[1]  # nothing was measured with it


def test_without_the_model_it_says_what_happens_and_offers_it(photos, draw, shelf):
    shelf(da3_base={"path": None})
    drawn = draw("main")
    assert "Without the model Base, COLMAP finds cameras" in drawn.text
    assert "da3.download_model" in drawn.operators
    assert not drawn.is_enabled("make_mesh")
    assert drawn.is_enabled("make_points")
    photos.cameras = "DA3"
    assert "The model Base is not here yet." in draw("main").text
    shelf(da3_base={"path": "/x", "size_bytes": 5})
    drawn = draw("main")
    assert drawn.is_enabled("make_mesh")
    assert "da3.download_model" not in drawn.operators


def test_settings_without_effect_are_grey_with_the_reason(scene, draw):
    scene.da3.model = "da3metric-large"
    drawn = draw("cameras_model")
    assert "Metric finds no cameras: COLMAP does" in drawn.text
    assert "Metric measures metres anyway" in drawn.text
    for name in ("reference_view", "use_ray_pose", "square_pixels", "measure_scale"):
        assert not drawn.is_enabled(name)
    scene.da3.model = "da3-base"
    drawn = draw("cameras_model")
    for name in ("reference_view", "use_ray_pose", "square_pixels", "measure_scale"):
        assert drawn.is_enabled(name)


def test_models_show_their_state_and_what_fits(scene, draw, shelf, machine):
    shelf(
        da3_base={"path": "/c", "size_bytes": 540_000_000, "is_in_cache": True},
        da3_small={"path": "/own", "size_bytes": 140_000_000},
        da3_large={"partial_bytes": 820_000_000, "is_in_cache": True},
    )
    drawn = draw("models")
    assert "50% here" in drawn.text
    assert drawn.operators.count("da3.remove_model") == 1
    assert "CC BY-NC" not in drawn.text
    assert "photos fit at once" in drawn.text
    scene.da3.model = "da3-large"
    drawn = draw("models")
    assert "CC BY-NC 4.0. No commercial use" in drawn.text
    assert "0.82 GB are here; the download goes on from there" in drawn.text
    listed = [value for _, value in drawn.list_kind("prop_enum")]
    assert set(listed) == set(MODELS)


def test_commercial_use_only_hides_the_others(scene, draw, extension):
    preferences = extension("operators.extension").get_preferences(bpy.context)
    preferences.commercial_only = True
    try:
        listed = [value for _, value in draw("models").list_kind("prop_enum")]
    finally:
        preferences.commercial_only = False
    assert "da3-base" in listed
    assert "da3-giant" not in listed


def test_findings_are_listed_with_reasons(photos, draw, extension):
    store = extension("da3_blender.scene.properties").store_check
    findings = [
        {"name": "03.jpg", "kind": "blurred", "text": "looks blurred"},
        {"name": "05.jpg", "kind": "doubled", "text": "is the same picture as 04.jpg"},
    ]
    store(photos, {"views": 14, "width": 64, "height": 48, "findings": findings})
    drawn = draw("main")
    assert "2 doubtful photos" in drawn.text
    assert "05.jpg is the same picture as 04.jpg" in drawn.text
    assert "da3.check_photos" not in drawn.operators
    assert bpy.ops.da3.leave_out(photo="03.jpg") == {"FINISHED"}
    assert "1 doubtful photo " in draw("main").text + " "
    assert photos.input_views == 13
    bpy.ops.da3.leave_out()
    drawn = draw("main")
    assert "doubtful" not in drawn.text
    assert "12 photos" in drawn.text
    assert {item.name for item in photos.input_files}.isdisjoint({"03.jpg", "05.jpg"})


@pytest.fixture
def job(extension):
    """Give a function that makes the session's job, and take it away afterwards."""
    session = extension("da3_blender.client.session")
    jobs = extension("da3_blender.client.job")
    settings = extension("da3_blender.contract.settings").RunSettings(("/a",), "/b")

    class Client:
        device = check = None

    def make(**changes):
        made = jobs.Job("1", settings)
        for name, value in changes.items():
            setattr(made, name, value)
        Client.job = made
        session._Session.client = Client
        return made

    yield make
    session._Session.client = None


def test_a_run_shows_what_is_found_and_offers_to_keep_it(photos, draw, job, extension):
    state = extension("da3_blender.client.job").JobState
    run = job(state=state.RUNNING, stage="Placing cameras", fraction=0.7, detail="8 of 14 cameras")
    drawn = draw("main")
    assert "Placing cameras  70%" in drawn.text
    assert "da3.cancel" in drawn.operators
    assert "da3.finish" not in drawn.operators
    assert "da3.reconstruct" not in drawn.operators
    assert not drawn.is_enabled("input_path")
    run.found = {"cameras": 8, "views": 14, "points": 6150, "file": "/x"}
    drawn = draw("main")
    assert "8 of 14 cameras, 6,150 points" in drawn.text
    assert "da3.finish" in drawn.operators
    assert bpy.ops.da3.finish.poll()
    run.is_finishing = True
    drawn = draw("main")
    assert "Keeping what is found" in drawn.text
    assert "da3.finish" not in drawn.operators


def test_each_end_of_a_run_has_its_box(photos, draw, job, extension):
    state = extension("da3_blender.client.job").JobState
    error = extension("da3_blender.contract.errors")
    run = job(state=state.DONE, summary={"folder": "/b", "views": 14, "cameras": 13, "points": 5})
    drawn = draw("main")
    assert "13 of 14 cameras found" in drawn.text
    assert "da3.build_scene" in drawn.operators
    run.state = state.CANCELLED
    assert "Cancelled after" in draw("main").text
    run.state = state.FAILED
    run.error = error.EngineError(error.ErrorCode.OUT_OF_MEMORY, "Too much.", "Take less.")
    drawn = draw("main")
    assert "Too much." in drawn.text
    assert "Take less." in drawn.text
    kind = extension("da3_blender.client.job").JobKind
    run.state, run.kind, run.model, run.settings = state.DONE, kind.FETCH, "da3-base", None
    assert "Base is downloaded" in draw("main").text


def test_the_result_panel_shows_facts_and_doubt(scene, build, draw, extension, tmp_path):
    panel = extension("panels.result").DA3_PT_result
    assert not panel.poll(bpy.context)
    views = [{}, {"doubt": "its points are 9.0 px off, usual here are 0.5"}, {}]
    manifest = {"is_metric": True, "model": "da3-base", "lost": ["x.jpg"]}
    build(write_result(tmp_path / "house", views, manifest=manifest), show_photos=False)
    assert panel.poll(bpy.context)
    drawn = draw("result")
    for words in ("3 of 4", "500", "DA3, Base", "Measured, in metres", "1 doubtful view"):
        assert words in drawn.text
    assert "001.jpg: its points are 9.0 px off" in drawn.text
    assert {"da3.rebuild", "da3.rerun_views", "da3.step_camera"} <= set(drawn.operators)


def test_no_panel_touches_the_disk(photos, draw, shelf, monkeypatch, tmp_path, build):
    """Opening or listing anything while drawing fails."""
    build(write_result(tmp_path / "house_r", [{}, {}]), show_photos=False)
    shelf(da3_base={"path": None})
    for name in (*PANELS, "result"):
        draw(name)  # modules that are imported late are here now

    def refuse(*arguments, **_keywords):
        raise AssertionError(arguments)

    with monkeypatch.context() as patch:
        for target in ("builtins.open", "os.scandir", "os.listdir", "os.stat"):
            patch.setattr(target, refuse)
        for name in (*PANELS, "result"):
            assert draw(name).items
