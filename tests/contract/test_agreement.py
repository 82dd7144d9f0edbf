# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings, messages, progress and results folders of the contract."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from da3_blender.client.leftovers import remove_leftovers
from da3_blender.contract import protocol
from da3_blender.contract.errors import CancelledError, EngineError, ErrorCode
from da3_blender.contract.progress import Progress
from da3_blender.contract.result_folder import ResultWriter, load_result
from da3_blender.contract.settings import RunSettings


def test_settings_survive_a_message():
    settings = RunSettings(("/a b/ü/写真.jpg",), "/out", frame_start=3, target_fps=2.5)
    line = protocol.encode(protocol.RUN, job=1, settings=settings.to_json())
    assert line.isascii()
    assert RunSettings.from_json(protocol.decode(line)["settings"]) == settings


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"inputs": ()}, "No input"),
        ({"output": ""}, "No output"),
        ({"cameras": "MAGIC"}, "MAGIC"),
        ({"process_resolution": 3}, "process_resolution"),
        ({"drop_percent": 100.0}, "drop_percent"),
        ({"frame_start": 9, "frame_end": 3}, "comes before"),
        ({"max_points": float("nan")}, "max_points"),
    ],
)
def test_settings_name_what_cannot_work(change, word):
    settings = RunSettings(**({"inputs": ("/a",), "output": "/b"} | change))
    assert word in " ".join(settings.problems())
    with pytest.raises(EngineError) as caught:
        settings.check()
    assert caught.value.code is ErrorCode.SETTINGS_INVALID


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"inputs": ["a"], "output": "b", "sharpness": 1},
        {"inputs": ["a"], "output": "b", "seed": 0, "max_points": "many"},
    ],
)
def test_settings_of_another_version_are_refused(data):
    with pytest.raises(EngineError) as caught:
        RunSettings.from_json(data)
    assert caught.value.code is ErrorCode.SETTINGS_INVALID


@pytest.mark.parametrize("line", ["", "loading...", "[1]", '{"kind": 1}', '{"type": 3}', "{"])
def test_noise_is_not_a_message(line):
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own error is one of them
        protocol.decode(line)


def test_messages_never_carry_nan():
    with pytest.raises(ValueError, match="JSON"):
        protocol.encode(protocol.PROGRESS, fraction=float("nan"))


def test_errors_cross_the_wall():
    error = EngineError(ErrorCode.DISK_FULL, "The disk is full.", "Free some space.")
    back = EngineError.from_json(json.loads(json.dumps(error.to_json())))
    assert (back.code, back.message, back.hint) == (error.code, error.message, error.hint)
    assert EngineError.from_json({"code": "from the future"}).code is ErrorCode.INTERNAL


def test_progress_never_falls_and_ends_at_one():
    seen = []
    progress = Progress(lambda *report: seen.append(report), lambda: False, lambda _: None)
    progress.plan([("a", 1), ("b", 3)])
    progress.begin("a")
    progress.report(1.0)
    progress.plan([("a", 1), ("b", 3), ("c", 4)])  # the way turned out longer
    progress.begin("b", "1 of 2")
    progress.report(1.0)
    progress.begin("c")
    progress.report(1.0)
    fractions = [fraction for _, fraction, _, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert {stage for stage, *_ in seen} == {"a", "b", "c"}


def test_progress_cancels_at_the_next_report():
    progress = Progress(lambda *_: None, lambda: True, lambda _: None)
    with pytest.raises(CancelledError):
        progress.begin("")


def test_a_result_appears_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "neu" / "Ergebnis ü 写真"
    writer = ResultWriter(folder)
    writer.save_array("w2c", np.eye(4)[None])
    assert not folder.exists()
    writer.finish({"views": [{"name": "a.jpg", "photo": "photos/a.jpg"}]})
    result = load_result(folder)
    assert (result.load("w2c") == np.eye(4)).all()
    assert result.has("w2c")
    assert not result.has("depth")
    assert result.photo_path(result.views[0]) == folder / "photos" / "a.jpg"
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_a_discarded_result_leaves_nothing(tmp_path):
    writer = ResultWriter(tmp_path / "a" / "b" / "result")
    writer.save_array("K", np.eye(3)[None])
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_an_older_result_is_replaced(tmp_path):
    for count in (1, 2):
        writer = ResultWriter(tmp_path / "result")
        writer.save_array("K", np.stack([np.eye(3)] * count))
        writer.finish({"views": []})
    assert load_result(tmp_path / "result").load("K").shape == (2, 3, 3)


def test_a_result_that_another_blender_made_meanwhile_stays(tmp_path, monkeypatch):
    writers = []
    for pid in (11, 22, 33):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        writers.append(ResultWriter(tmp_path / "result"))
        writers[-1].save_array("K", np.stack([np.eye(3)] * pid))
    for writer in writers:
        writer.finish({"views": []})
    assert [writer.folder.name for writer in writers] == ["result", "result_002", "result_003"]
    counts = {len(load_result(folder).load("K")) for folder in tmp_path.iterdir()}
    assert counts == {11, 22, 33}


def test_a_kill_between_the_two_renames_loses_no_result(tmp_path, monkeypatch):
    def make() -> ResultWriter:
        writer = ResultWriter(tmp_path / "result")
        writer.save_array("K", np.eye(3)[None])
        return writer

    make().finish({"views": [], "name": "earlier"})

    rename = Path.rename

    def rename_and_die(path, target):
        rename(path, target)
        raise KeyboardInterrupt  # nothing of the writer runs after a kill either

    monkeypatch.setattr(Path, "rename", rename_and_die)
    with pytest.raises(KeyboardInterrupt):
        make().finish({"views": [], "name": "new"})
    monkeypatch.undo()
    assert not (tmp_path / "result").exists()
    remove_leftovers(tmp_path / "result", os.getpid(), [])
    assert load_result(tmp_path / "result").manifest["name"] == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_other_files_are_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(EngineError) as caught:
        ResultWriter(tmp_path)
    assert caught.value.code is ErrorCode.OUTPUT_UNWRITABLE
    with pytest.raises(EngineError):
        ResultWriter(tmp_path / "thesis.txt")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_full_disk_has_a_sentence(tmp_path, monkeypatch):
    writer = ResultWriter(tmp_path / "result")

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(EngineError) as caught:
        writer.save_array("K", np.eye(3))
    assert caught.value.code is ErrorCode.DISK_FULL
    writer.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    ["no manifest", "half a manifest", "other kind", "other format", "lost array", "cut array"],
)
def test_damaged_results_are_refused(tmp_path, damage):
    folder = tmp_path / "result"
    writer = ResultWriter(folder)
    writer.save_array("K", np.zeros((9, 3, 3)))
    writer.finish({"views": []})
    manifest = folder / "manifest.json"
    text = manifest.read_text()
    if damage == "no manifest":
        manifest.unlink()
    elif damage == "half a manifest":
        manifest.write_text(text[: len(text) // 2])
    elif damage == "other kind":
        manifest.write_text(text.replace("da3-result", "shopping-list"))
    elif damage == "other format":
        manifest.write_text(text.replace('"format": 1', '"format": 99'))
    elif damage == "lost array":
        (folder / "K.npy").unlink()
    else:
        (folder / "K.npy").write_bytes((folder / "K.npy").read_bytes()[:200])
    with pytest.raises(EngineError) as caught:
        load_result(folder).load("K")
    assert caught.value.code is ErrorCode.RESULT_BROKEN
    assert str(folder) in caught.value.message
