# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`blender --command da3`: called as Blender calls it, with a real worker process."""

import pytest

bpy = pytest.importorskip("bpy")

from tests.addon.results import write_photos_result  # noqa: E402 - bpy first


@pytest.fixture
def run(extension):
    return extension("operators.command_line").run_command


def test_photos_become_a_blend(scene, run, engine, tmp_path, capfd):
    (tmp_path / "house").mkdir()
    blend = tmp_path / "new" / "scene.blend"
    argv = [str(tmp_path / "house"), "-o", str(blend), "--cameras", "COLMAP", "--no-shared-lens"]
    assert run(argv) == 0
    told = capfd.readouterr().out
    assert "100 %" in told or "Solving" in told
    assert "2 poses and 8 points" in told
    assert "note: a note from the engine" in told
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    (root,) = [ob for ob in bpy.data.objects if ob.get("da3_role") == "root"]
    assert root["da3_result"] == str(tmp_path / "new" / "scene_da3")
    assert sum(ob.type == "CAMERA" for ob in bpy.data.objects) == 2


def test_the_engine_can_be_named(scene, run, engine, extension, tmp_path):
    extension("operators.extension").get_preferences(bpy.context).engine_python = ""
    (tmp_path / "house").mkdir()
    argv = [str(tmp_path / "house"), "-o", str(tmp_path / "s.blend")]
    assert run(argv) == 1
    assert run([*argv, "--engine-python", str(engine)]) == 0


def test_an_existing_result_is_built_and_rendered(scene, run, tmp_path):
    folder = write_photos_result(tmp_path / "r")
    picture = tmp_path / "first.png"
    words = ["--result", str(folder), "-o", str(tmp_path / "s"), "--render", str(picture)]
    assert run(words) == 0
    assert picture.stat().st_size > 0
    image = bpy.data.images.load(str(picture))
    assert tuple(image.size) == (64, 48)
    paths = {i.filepath for i in bpy.data.images if i.name.startswith("00")}
    assert paths == {f"//r/photos/{n:03d}.jpg" for n in range(4)}
    assert (tmp_path / "s.blend").exists()


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["{tmp}/bad", "-o", "{tmp}/s.blend"], 1, "bad has no photos. Add photos."),
        (["-o", "{tmp}/s.blend"], 1, "There is no input and no result."),
        (["--result", "{tmp}/gone", "-o", "{tmp}/s.blend"], 1, "manifest.json is missing"),
        (["{tmp}/a", "-o", "{tmp}/s.blend", "--max-points", "0"], 1, "max_points is 0"),
        (["{tmp}/a"], 2, "required: -o/--output"),
        (["{tmp}/a", "-o", "x", "--model", "da3-huge"], 2, "invalid choice: 'da3-huge'"),
    ],
)
def test_failures_are_sentences_and_codes(
    scene, run, engine, tmp_path, capfd, words, code, sentence
):
    assert run([word.format(tmp=tmp_path) for word in words]) == code
    assert sentence in capfd.readouterr().err
    assert not (tmp_path / "s.blend").exists()


def test_a_blend_that_cannot_be_written_is_told(scene, run, tmp_path, capfd):
    folder = write_photos_result(tmp_path / "r")
    (tmp_path / "file").touch()
    assert run(["--result", str(folder), "-o", str(tmp_path / "file" / "s.blend")]) == 1
    assert "cannot be written" in capfd.readouterr().err


def test_every_setting_is_an_option(run, capfd):
    assert run(["--help"]) == 0
    told = capfd.readouterr().out
    for option in ("--frame-start", "--model", "--max-points", "--no-use-focal-prior"):
        assert option in told
    for option in ("--point-display", "--camera-mode", "--no-show-photos"):
        assert option in told
