# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found on the way is shown, and is kept where the user has seen enough."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from da3_blender.contract.errors import CancelledError
from da3_blender.contract.progress import Progress
from da3_blender.contract.result_folder import load_result
from da3_blender.contract.settings import RunSettings
from da3_blender.pipeline import create_pipeline
from da3_blender.pipeline import run as run_module

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "courtyard"
SMALL = {"cameras": "COLMAP", "max_photo_side": 800, "max_features": 2500}
VIEWS = 7


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for path in sorted(SAMPLES.glob("*.jpg"))[:VIEWS]:
        shutil.copy(path, folder)
    return folder


class Watch:
    """Keeps what is shown; its user has seen enough at so many cameras."""

    def __init__(self, enough: int = 1000) -> None:
        self.enough, self.found, self.notes, self.wants_end = enough, [], [], False
        self.progress = Progress(
            lambda *_report: None, lambda: False, self.notes.append, self.show, self.is_enough
        )

    def show(self, found):
        with np.load(found["file"]) as arrays:
            self.found.append({**found, **arrays})
        self.wants_end = found["cameras"] >= self.enough

    def is_enough(self):
        return self.wants_end


@pytest.fixture(scope="module")
def watched(photos, tmp_path_factory):
    watch = Watch()
    out = tmp_path_factory.mktemp("whole") / "out"
    summary = create_pipeline().run(RunSettings((str(photos),), str(out), **SMALL), watch.progress)
    return watch, summary, load_result(out)


def test_cameras_and_points_appear_while_they_are_found(watched):
    watch, summary, result = watched
    assert summary["cameras"] == VIEWS
    counts = [found["cameras"] for found in watch.found]
    assert counts == sorted(counts)
    assert counts[-1] == VIEWS
    last = watch.found[-1]
    assert last["views"] == VIEWS
    assert last["w2c"].shape == (VIEWS, 4, 4)
    assert last["points"].shape == last["colours"].shape
    # The last preview lies where the result lies.
    assert np.allclose(last["w2c"], result.load("w2c"), atol=1e-4)
    assert not list(result.folder.glob("*preview*"))
    assert summary["is_partial"] is False


def test_an_early_end_keeps_the_cameras_that_are_placed(photos, tmp_path):
    watch = Watch(enough=2)
    out = tmp_path / "out"
    summary = create_pipeline().run(RunSettings((str(photos),), str(out), **SMALL), watch.progress)
    assert summary["is_partial"] is True
    result = load_result(out)
    assert 2 <= summary["cameras"] == len(result.views) < VIEWS
    assert len(result.load("points")) > 50
    assert len(result.manifest["lost"]) == VIEWS - summary["cameras"]
    assert any("ended early" in note for note in watch.notes)


def test_in_the_network_the_cameras_of_colmap_are_kept(photos, tmp_path, monkeypatch, watched):
    """The network's stage is entered and left; its weights do not matter here."""
    watch = Watch()

    def stop(*_arguments):
        watch.wants_end = True
        raise CancelledError

    pipeline = create_pipeline()
    monkeypatch.setattr(pipeline._networks, "get", stop)
    choice = run_module.Choice(use_colmap=True, checkpoint=tmp_path)
    monkeypatch.setattr(run_module, "choose_solver", lambda *_arguments: choice)
    out = tmp_path / "out"
    summary = pipeline.run(RunSettings((str(photos),), str(out), **SMALL), watch.progress)
    assert (summary["cameras"], summary["solver"], summary["is_partial"]) == (VIEWS, "COLMAP", True)
    whole = watched[2]
    assert np.allclose(load_result(out).load("w2c"), whole.load("w2c"), atol=1e-6)


def test_without_cameras_an_early_end_is_a_cancel(photos, tmp_path):
    progress = Progress(
        lambda *_report: None, lambda: False, lambda _text: None, wants_end=lambda: True
    )
    settings = RunSettings((str(photos),), str(tmp_path / "out"), **SMALL)
    with pytest.raises(CancelledError):
        create_pipeline().run(settings, progress)
    assert list(tmp_path.iterdir()) == []
