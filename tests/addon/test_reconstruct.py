# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the button to the scene, with a real worker process; and what goes wrong on the way."""

import time

import pytest

bpy = pytest.importorskip("bpy")


@pytest.fixture
def settings(scene, tmp_path):
    """Give the scene's settings with an input and a place for results."""
    (tmp_path / "house").mkdir()
    scene.da3.input_path = str(tmp_path / "house")
    scene.da3.output_folder = str(tmp_path / "results")
    return scene.da3


def of_role(role):
    return [ob for ob in bpy.data.objects if ob.get("da3_role") == role]


def start(extension):
    """Start a job as with a window; return (job, scene's session id)."""
    access = extension("operators.engine_access")
    make = extension("da3_blender.scene.settings_from_scene").make_run_settings
    parts = extension("operators.extension")
    preferences = parts.get_preferences(bpy.context)
    run = make(bpy.context.scene, preferences, parts.get_user_folder())
    job = access.connect(preferences.engine_python).start_job(run)
    return job, bpy.context.scene.session_uid


def follow(extension, job, uid):
    """Do what Blender's timer does, until it ends."""
    timer = extension("operators.job_timer")
    until = time.monotonic() + 30
    while (pause := timer.follow_job(job.id, uid)) is not None:
        assert time.monotonic() < until
        time.sleep(min(pause, 0.02))


def test_the_button_builds_the_scene(settings, engine, tmp_path):
    assert bpy.ops.da3.reconstruct() == {"FINISHED"}
    (root,) = of_role("root")
    assert root["da3_result"] == str(tmp_path / "results" / "house")
    assert len(of_role("camera")) == 2
    assert len(of_role("points")[0].data.vertices) == 8


def test_every_run_has_its_own_folder_and_updates_the_same_objects(settings, engine, tmp_path):
    bpy.ops.da3.reconstruct()
    (root,) = of_role("root")
    assert root["da3_result"] == str(tmp_path / "results" / "house")
    before = {ob.name: ob.session_uid for ob in bpy.data.objects}
    bpy.ops.da3.reconstruct()
    assert root["da3_result"] == str(tmp_path / "results" / "house_002")
    assert {ob.name: ob.session_uid for ob in bpy.data.objects} == before
    assert (tmp_path / "results" / "house" / "manifest.json").is_file()


def test_another_input_or_a_wish_makes_new_objects(settings, engine, tmp_path):
    bpy.ops.da3.reconstruct()
    settings.update = False
    bpy.ops.da3.reconstruct()
    settings.update = True
    settings.input_path = str(tmp_path / "barn")
    bpy.ops.da3.reconstruct()
    assert [root.name for root in of_role("root")] == ["barn", "house", "house.001"]


def test_a_failure_of_the_engine_is_a_sentence(settings, engine, tmp_path):
    settings.input_path = str(tmp_path / "bad")
    with pytest.raises(RuntimeError, match=r"bad has no photos. Add photos."):
        bpy.ops.da3.reconstruct()
    assert of_role("root") == []
    assert bpy.context.window_manager.da3.code == "input_empty"
    bpy.ops.da3.dismiss()
    assert bpy.context.window_manager.da3.code == ""


def test_after_a_failure_the_next_run_works(settings, engine, tmp_path):
    settings.input_path = str(tmp_path / "bad")
    with pytest.raises(RuntimeError):
        bpy.ops.da3.reconstruct()
    settings.input_path = str(tmp_path / "house")
    assert bpy.ops.da3.reconstruct() == {"FINISHED"}
    assert bpy.context.window_manager.da3.code == ""


def test_without_an_engine_the_panel_says_so(settings, extension, tmp_path):
    preferences = extension("operators.extension").get_preferences(bpy.context)
    preferences.engine_python = str(tmp_path / "nothing")
    with pytest.raises(RuntimeError, match="There is no engine at"):
        bpy.ops.da3.reconstruct()
    preferences.engine_python = ""
    notice = bpy.context.window_manager.da3
    assert notice.code == "engine_missing"
    assert "preferences" in notice.hint


def test_without_an_input_the_button_is_grey(scene):
    assert not bpy.ops.da3.reconstruct.poll()
    assert not bpy.ops.da3.cancel.poll()


def test_the_timer_builds_with_one_undo_step(settings, engine, extension):
    bpy.ops.ed.undo_push(message="Before")
    job, uid = start(extension)
    follow(extension, job, uid)
    assert job.state.value == "done"
    assert len(of_role("camera")) == 2
    bpy.ops.ed.undo()
    assert of_role("camera") == of_role("root") == []


def test_undo_while_it_runs_does_no_harm(settings, engine, extension):
    bpy.ops.ed.undo_push(message="Before")
    job, uid = start(extension)
    bpy.data.objects.new("mine", None)
    bpy.ops.ed.undo_push(message="Add")
    bpy.ops.ed.undo()
    follow(extension, job, uid)
    assert len(of_role("camera")) == 2


def test_nothing_is_built_in_another_file(settings, engine, extension):
    job, uid = start(extension)
    bpy.ops.wm.read_homefile(use_empty=True)
    follow(extension, job, uid)
    assert job.state.value == "done"
    assert of_role("root") == []
    bpy.ops.da3.build_scene(folder=job.summary["folder"])
    assert len(of_role("root")) == 1


def test_it_is_built_in_the_scene_that_began_it(settings, engine, extension):
    job, uid = start(extension)
    other = bpy.data.scenes.new("Other")
    first = bpy.context.scene
    with bpy.context.temp_override(scene=other, view_layer=other.view_layers[0]):
        follow(extension, job, uid)
    assert [c.name for c in first.collection.children] == ["house"]
    assert list(other.collection.children) == []


def test_nothing_is_built_in_edit_mode(settings, engine, extension):
    mesh = bpy.data.objects.new("mine", bpy.data.meshes.new("mine"))
    bpy.context.scene.collection.objects.link(mesh)
    bpy.context.view_layer.objects.active = mesh
    job, uid = start(extension)
    bpy.ops.object.mode_set(mode="EDIT")
    follow(extension, job, uid)
    assert of_role("root") == []
    assert not bpy.ops.da3.build_scene.poll()
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.ops.da3.build_scene(folder=job.summary["folder"])
    assert len(of_role("root")) == 1


def test_cancel_ends_the_run_and_builds_nothing(settings, engine, extension, tmp_path):
    settings.input_path = str(tmp_path / "endless")
    job, uid = start(extension)
    timer = extension("operators.job_timer")
    while job.fraction < 0.5:
        assert timer.follow_job(job.id, uid) is not None
        time.sleep(0.02)
    assert not bpy.ops.da3.reconstruct.poll()
    assert bpy.ops.da3.cancel() == {"FINISHED"}
    follow(extension, job, uid)
    assert job.state.value == "cancelled"
    assert of_role("root") == []
    assert not (tmp_path / "results").exists() or not any((tmp_path / "results").iterdir())


def test_the_timer_ends_when_the_extension_goes(settings, engine, extension, tmp_path):
    settings.input_path = str(tmp_path / "endless")
    job, uid = start(extension)
    extension("da3_blender.client.session").shut_down()
    assert extension("operators.job_timer").follow_job(job.id, uid) is None


def test_the_report_tells_what_happened(settings, engine, extension):
    bpy.ops.da3.reconstruct()
    report = extension("da3_blender.client.report").make_report
    text = report(extension("da3_blender.client.session").current_job(), {"Blender": "x"})
    assert "a note from the engine" in text
    assert bpy.ops.da3.copy_report() == {"FINISHED"}


def test_choosing_files_and_folders(scene, tmp_path):
    for name in ("a.jpg", "b.PNG", "c.heic", "notes.txt", "clip.mp4"):
        (tmp_path / name).touch()
    bpy.ops.da3.choose_folder(directory=str(tmp_path))
    assert scene.da3.input_summary == "3 photos and 1 video"
    bpy.ops.da3.choose_files(directory=str(tmp_path), files=[{"name": "a.jpg"}, {"name": "c.heic"}])
    assert scene.da3.input_summary == "2 photos"
    assert [item.name for item in scene.da3.input_files] == ["a.jpg", "c.heic"]
    bpy.ops.da3.choose_files(directory=str(tmp_path), files=[{"name": "clip.mp4"}])
    assert scene.da3.input_path == str(tmp_path / "clip.mp4")
    assert (scene.da3.input_summary, len(scene.da3.input_files)) == ("1 video", 0)
    scene.da3.input_path = str(tmp_path / "gone")
    assert scene.da3.input_summary == "There is no such file or folder"
