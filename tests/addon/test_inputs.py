# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to an input: dropped files, movie clips, a check of the photos; models on the disk."""

import shutil

import pytest

bpy = pytest.importorskip("bpy")

from da3_blender.contract.formats import PHOTO_SUFFIXES, VIDEO_SUFFIXES  # noqa: E402 - bpy first
from tests.addon.results import write_photo  # noqa: E402


@pytest.fixture
def folder(tmp_path):
    for name in ("a.jpg", "b.JPG", "c.png", "notes.txt"):
        (tmp_path / name).touch()
    return tmp_path


def drop(folder, *names, **choices):
    files = [{"name": name} for name in names]
    return bpy.ops.da3.drop_files(directory=str(folder), files=files, **choices)


def test_the_handler_takes_pictures_and_videos_in_3d_views(extension):
    handler = extension("operators.drop_files").DA3_FH_photos
    assert handler.is_registered
    assert set(handler.bl_file_extensions.split(";")) == PHOTO_SUFFIXES | VIDEO_SUFFIXES
    assert handler.bl_import_operator == "da3.drop_files"

    class Place:
        area = None

    assert not handler.poll_drop(Place)
    for kind, expected in (("VIEW_3D", True), ("IMAGE_EDITOR", False)):
        Place.area = type("Area", (), {"type": kind})
        assert handler.poll_drop(Place) is expected


def test_dropped_files_are_the_input(scene, folder):
    assert drop(folder, "a.jpg", "c.png") == {"FINISHED"}
    assert scene.da3.input_summary == "2 photos"
    assert [item.name for item in scene.da3.input_files] == ["a.jpg", "c.png"]
    assert scene.da3.input_kind == "AUTO"


def test_one_dropped_file_can_stand_for_its_folder(scene, folder):
    drop(folder, "a.jpg", whole_folder=True)
    assert folder.samefile(scene.da3.input_path)
    assert scene.da3.input_summary == "3 photos"
    drop(folder, "a.jpg")
    assert scene.da3.input_summary == "1 photo"


def test_a_dropped_video_is_itself(scene, folder):
    (folder / "clip.mp4").touch()
    drop(folder, "clip.mp4", whole_folder=True, is_sequence=True)
    assert scene.da3.input_path == str(folder / "clip.mp4")
    assert scene.da3.input_kind == "AUTO"


def test_a_dropped_sequence_is_told(scene, tmp_path):
    for number in range(20):
        (tmp_path / f"shot_{number:04d}.png").touch()
    drop(tmp_path, "shot_0003.png", whole_folder=True, is_sequence=True)
    assert scene.da3.input_kind == "SEQUENCE"
    drop(tmp_path, "shot_0003.png", "shot_0004.png")
    assert scene.da3.input_kind == "AUTO"


def test_numbered_neighbours_are_found(extension):
    find = extension("da3_blender.scene.input_summary").find_sequence
    names = ["a_10.png", "a_2.png", "a_3.jpg", "b_4.png", "a_x.png", "a_5_b.png"]
    assert find(names, "a_2.png") == ["a_2.png", "a_10.png"]
    assert find(names, "a_x.png") == ["a_x.png"]


def test_nothing_dropped_is_an_error(scene):
    with pytest.raises(RuntimeError, match="No file was dropped"):
        bpy.ops.da3.drop_files()


def test_a_movie_clip_of_frames_is_a_sequence(scene, tmp_path):
    assert not bpy.ops.da3.use_clip.poll()
    for number in range(1, 5):
        write_photo(tmp_path / f"shot_{number:04d}.png")
    clip = bpy.data.movieclips.load(str(tmp_path / "shot_0001.png"))
    assert bpy.ops.da3.use_clip() == {"FINISHED"}
    assert scene.da3.input_path == str(tmp_path / "shot_0001.png")
    assert scene.da3.input_kind == "SEQUENCE"
    assert scene.da3.input_views == clip.frame_duration
    (tmp_path / "shot_0001.png").unlink()
    with pytest.raises(RuntimeError, match="is gone"):
        bpy.ops.da3.use_clip()


def test_of_several_clips_one_has_to_be_chosen(scene, tmp_path):
    for name in ("one.png", "two.png"):
        bpy.data.movieclips.load(str(write_photo(tmp_path / name)))
    with pytest.raises(RuntimeError, match="Choose a movie clip"):
        bpy.ops.da3.use_clip()
    bpy.ops.da3.use_clip(clip="two.png")
    assert scene.da3.input_path == str(tmp_path / "two.png")
    scene.active_clip = bpy.data.movieclips["one.png"]
    bpy.ops.da3.use_clip()
    assert scene.da3.input_path == str(tmp_path / "one.png")


def test_a_check_is_kept_with_the_input_and_forgotten_with_it(scene, engine, folder, extension):
    scene.da3.input_path = str(folder)
    assert not scene.da3.is_checked
    assert bpy.ops.da3.check_photos() == {"FINISHED"}
    assert scene.da3.is_checked
    assert [(f.name, f.kind) for f in scene.da3.findings] == [("b.JPG", "blurred")]
    assert (scene.da3.input_width, scene.da3.input_height) == (640, 480)
    make = extension("da3_blender.scene.settings_from_scene").make_run_settings
    preferences = extension("operators.extension").get_preferences(bpy.context)
    assert make(scene, preferences, folder).check_photos is False
    scene.da3.input_path = str(folder / "a.jpg")
    assert not scene.da3.is_checked
    assert len(scene.da3.findings) == 0
    assert make(scene, preferences, folder).check_photos is True


def test_a_late_answer_about_another_input_is_dropped(scene, engine, folder, extension):
    checks = extension("operators.photo_check")
    scene.da3.input_path = str(folder)
    job = checks.begin_check(bpy.context)
    scene.da3.input_path = str(folder / "a.jpg")
    access = extension("operators.engine_access")
    client = extension("da3_blender.client.session").current_client()
    access.wait_for_job(client, job, lambda _job: None)
    assert checks.follow_check(job.id, scene.session_uid) is None
    assert not scene.da3.is_checked


@pytest.fixture
def shelf(extension):
    module = extension("da3_blender.client.model_shelf")
    yield module
    module.forget()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache as huggingface_hub makes it, with Base, half of Large, and somebody else's file."""
    cache = tmp_path / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    base = cache / "models--depth-anything--DA3-BASE"
    (base / "blobs").mkdir(parents=True)
    (base / "blobs" / "abc").write_bytes(b"x" * 100)
    (base / "snapshots" / "1").mkdir(parents=True)
    (base / "snapshots" / "1" / "model.safetensors").symlink_to("../../blobs/abc")
    large = cache / "models--depth-anything--DA3-LARGE-1.1" / "blobs"
    large.mkdir(parents=True)
    (large / "def.incomplete").write_bytes(b"x" * 40)
    (cache / "models--somebody--else").mkdir()
    return cache


def look(shelf):
    bpy.ops.da3.refresh_models()
    shelf.wait_for_look(10)
    return shelf.read_model


def test_the_list_knows_what_is_here(scene, shelf, cache):
    assert shelf.read_model("da3-base") is None
    read = look(shelf)
    assert (read("da3-base").size_bytes, read("da3-base").is_in_cache) == (100, True)
    large = read("da3-large")
    assert (large.path, large.partial_bytes, large.is_in_cache) == (None, 40, True)
    assert read("da3-giant").path is None


def test_removing_a_model_touches_nothing_else(scene, shelf, cache):
    look(shelf)
    assert bpy.ops.da3.remove_model(model="da3-base") == {"FINISHED"}
    shelf.wait_for_look(10)
    assert shelf.read_model("da3-base").path is None
    left = sorted(path.name for path in cache.iterdir())
    assert left == ["models--depth-anything--DA3-LARGE-1.1", "models--somebody--else"]
    assert bpy.ops.da3.remove_model(model="da3-base") == {"CANCELLED"}
    assert bpy.ops.da3.remove_model(model="da3-large") == {"FINISHED"}
    shelf.wait_for_look(10)
    assert [path.name for path in cache.iterdir()] == ["models--somebody--else"]


def test_a_folder_of_ones_own_comes_first_and_is_never_emptied(
    scene, shelf, cache, extension, tmp_path
):
    own = tmp_path / "mine"
    (own / "DA3-BASE").mkdir(parents=True)
    (own / "DA3-BASE" / "model.safetensors").write_bytes(b"y" * 7)
    (own / "da3-small.safetensors").write_bytes(b"z" * 3)
    preferences = extension("operators.extension").get_preferences(bpy.context)
    preferences.checkpoint = str(own)
    try:
        read = look(shelf)
        assert read("da3-base").path == own / "DA3-BASE" / "model.safetensors"
        assert read("da3-small").size_bytes == 3
        assert not read("da3-small").is_in_cache
        bpy.ops.da3.remove_model(model="da3-small")
        bpy.ops.da3.remove_model(model="da3-base")
        shelf.wait_for_look(10)
        assert (own / "da3-small.safetensors").exists()
        assert (own / "DA3-BASE" / "model.safetensors").exists()
        assert not (cache / "models--depth-anything--DA3-BASE").exists()
        access = extension("operators.model_access")
        assert access.find_download_folder(bpy.context) == str(own)
    finally:
        preferences.checkpoint = ""


def test_a_link_in_the_cache_is_not_followed(scene, shelf, cache, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    shutil.move(cache / "models--depth-anything--DA3-BASE", elsewhere)
    (cache / "models--depth-anything--DA3-BASE").symlink_to(elsewhere)
    assert bpy.ops.da3.remove_model(model="da3-base") == {"CANCELLED"}
    shelf.wait_for_look(10)
    assert (elsewhere / "blobs" / "abc").exists()


def test_the_speed_of_a_run_is_known_in_the_next_session(extension, tmp_path):
    measured = extension("da3_blender.client.measured_speeds")
    estimates = extension("da3_blender.contract.estimates")
    card = estimates.DeviceFacts("cuda", "Card", 8, 8)
    fast = estimates.MeasuredSpeed("Card", "da3-base", "bfloat16", 2e12, 0.5)
    slow = estimates.MeasuredSpeed("Card", "da3-base", "bfloat16", 1e12, 0.5)
    try:
        for speed in (slow, fast):
            measured.remember_run(speed.to_json(), card, tmp_path)
        measured.remember_run(None, None, tmp_path)
        measured._Measured.speeds, measured._Measured.device = [], None
        measured.load_speeds(tmp_path)
        assert measured.find_speed("da3-base") == fast
        assert measured.find_speed("da3-giant") is None
        assert measured.read_device() == card
        (tmp_path / "speeds.json").write_text("{damaged", encoding="utf-8")
        measured.load_speeds(tmp_path)
        assert measured.find_speed("da3-base") is None
    finally:
        measured._Measured.speeds, measured._Measured.device = [], None
