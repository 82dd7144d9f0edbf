# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The held-out worlds: repeatable, never trained on, and their truth agrees with itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy is not installed")
pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("training.worlds.views", reason="the worlds are not in this checkout")

from da3_blender.evaluation.measure_maps import measure_temporal
from da3_blender.evaluation.scene_folder import find_scenes, read_scene
from tests.engine.truth import Oracle
from training import batches, validation
from training.held_out import FIRST_SEED, MOST_SCENES, SHAPES, choose_size, make_scene

ROOT = Path(__file__).resolve().parents[2]


def test_no_world_is_seen_in_training():
    last = FIRST_SEED + MOST_SCENES
    assert last <= batches.FIRST_TRAINING_SEED
    assert not FIRST_SEED <= validation._FIRST_SEED < last


def test_the_same_number_gives_the_same_scene():
    first, again, other = (make_scene(number, 2, 56) for number in (3, 3, 8))
    assert all((a == b).all() for a, b in zip(first.images, again.images, strict=True))
    assert (first.w2c == again.w2c).all()
    assert first.images[0].shape == other.images[0].shape
    assert (first.images[0] != other.images[0]).any()


def test_pictures_fit_the_network():
    for number in range(len(SHAPES)):
        height, width = choose_size(number, 224)
        assert max(height, width) == 224
        assert height % 14 == width % 14 == 0
    assert choose_size(0, 14) == (14, 14)


def test_true_depth_and_cameras_agree():
    agreed = []
    for number in range(6):
        scene = make_scene(number, 4, 112)
        found = Oracle().estimate(scene, lambda *_: None, lambda: False)
        object.__setattr__(scene, "depth", None)  # its own agreement decides what is visible
        scores = measure_temporal(scene, found)
        assert scores["difference"] < 0.04
        agreed.append(scores["counted"])
    assert np.mean(agreed) > 0.6  # the rest is hidden by something nearer


def test_scenes_can_be_kept(tmp_path):
    done = subprocess.run(
        [sys.executable, "-P", "-m", "training.held_out", "--write", tmp_path / "set",
         "--scenes", "2", "--views", "3", "--longest-side", "56"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folders = find_scenes(tmp_path / "set")
    assert len(folders) == 2
    kept, made = read_scene(folders[1]), make_scene(1, 3, 56)
    assert (kept.images[2] == made.images[2]).all()
    assert kept.w2c == pytest.approx(made.w2c)
    truth = [scene.read_true_depth(2) for scene in (kept, made)]
    assert truth[0] == pytest.approx(truth[1], nan_ok=True)
