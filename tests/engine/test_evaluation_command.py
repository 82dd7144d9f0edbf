# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `evaluate`, with a network of random weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy is not installed")

from da3_blender.evaluation.modes import MODES
from da3_blender.evaluation.scene_folder import write_scene
from tests.engine.truth import make_scene

ROOT = Path(__file__).resolve().parents[2]


def run_command(*arguments):
    return subprocess.run(
        [sys.executable, "-P", "-m", "da3_blender", "evaluate", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    pytest.importorskip("torch", reason="torch is not installed")
    from tests.engine.test_pipeline_runs import make_checkpoint

    return make_checkpoint(tmp_path_factory.mktemp("weights") / "model.safetensors")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    for name in ("first", "second"):
        write_scene(make_scene(3, name), folder / name)
    return folder


def test_the_command_measures_a_network(scenes, checkpoint, tmp_path):
    done = run_command(
        scenes, "--model", "da3-small", "--checkpoint", checkpoint, "--process-resolution", "56",
        "--device", "cpu", "--modes", *MODES, "--max-frames", "2", "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "first" in done.stdout
    assert "in brackets" in done.stdout
    scene = json.loads((tmp_path / "out" / "scenes" / "first.json").read_text())
    assert len(scene["frames"]) == 2
    assert set(scene["scores"]) == set(MODES)
    assert 0 <= scene["scores"]["pose"]["auc30"] <= 1
    assert scene["scores"]["depth"]["covered"] == 1
    # random weights see nothing: they are no better than a constant
    found = scene["scores"]["depth"]["median"]["image"]["abs_rel"]
    assert found > 0.9 * scene["guess"]["depth"]["median"]["image"]["abs_rel"] > 0.05
    for part in ("unposed", "posed"):
        assert scene["cost"][part]["seconds_per_frame"] > 0
        assert scene["cost"][part]["size"] == [56, 42]
        assert scene["cost"][part]["precision"] == "float32"
    assert scene["settings"]["reference_view"] == "first"
    assert str(tmp_path) not in json.dumps(scene)


def test_the_command_explains_what_is_wrong(scenes, tmp_path, checkpoint):
    empty = tmp_path / "empty"
    empty.mkdir()
    network = ("--model", "da3-small", "--checkpoint", checkpoint, "--device", "cpu")
    for arguments, words in (
        ((tmp_path / "absent",), "does not exist"),
        ((empty,), "holds no scene"),
        ((scenes, "--checkpoint", tmp_path / "none"), "no file or folder"),
        ((scenes, "--model", "da3mono-large", "--checkpoint", empty), "not on this machine"),
    ):
        done = run_command(*arguments)
        assert done.returncode == 1
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    broken = tmp_path / "set" / "broken"
    write_scene(make_scene(2), broken)
    (broken / "cameras.json").write_text("{}")
    done = run_command(broken, *network)
    assert done.returncode == 1
    assert "None of the 1 scenes could be measured" in done.stderr
    assert "its convention is None" in done.stderr


def test_one_broken_scene_is_told_and_the_rest_measured(checkpoint, tmp_path):
    for name in ("bad", "good"):
        write_scene(make_scene(2, name), tmp_path / name)
    np.save(tmp_path / "bad" / "depth" / "000001.npy", np.ones((5, 9)))
    done = run_command(
        tmp_path, "--model", "da3-small", "--checkpoint", checkpoint, "--device", "cpu",
        "--process-resolution", "56",
    )  # fmt: skip
    assert done.returncode == 1
    assert "has shape (5, 9)" in done.stderr
    assert "failed" in done.stdout
    assert "good" in done.stdout
