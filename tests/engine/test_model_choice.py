# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which model a run takes, and the command line's `models` and `download`.

Runs in the engine's environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
pytest.importorskip("torch", reason="torch is not installed")

from da3_blender.contract.errors import EngineError
from da3_blender.contract.models import MODELS
from da3_blender.contract.progress import Progress
from da3_blender.contract.settings import RunSettings
from da3_blender.inference import model_store
from da3_blender.pipeline.choice import choose_solver
from tests.engine.local_hub import run_hub

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def notes():
    return []


@pytest.fixture
def progress(notes):
    return Progress(lambda *_news: None, lambda: False, notes.append)


@pytest.fixture
def hub():
    with run_hub({"model.safetensors": b"weights!" * 1000}) as server:
        yield server


@pytest.mark.parametrize(
    ("model", "cameras", "title"),
    [
        ("da3-base", "AUTO", "DA3"),
        ("da3-base", "DA3", "DA3"),
        ("da3-base", "COLMAP", "COLMAP + DA3"),
        ("da3mono-large", "AUTO", "COLMAP + DA3"),
        ("da3metric-large", "COLMAP", "COLMAP + DA3"),
        ("da3-tiny", "DA3", "DA3"),
        ("da3-tiny", "COLMAP", "COLMAP + DA3"),
        ("da3-tiny", "AUTO", "COLMAP + DA3"),
    ],
)
def test_models_without_cameras_get_them_from_colmap(tmp_path, progress, model, cameras, title):
    file = tmp_path / model / "model.safetensors"
    file.parent.mkdir()
    file.touch()
    settings = RunSettings(("/a",), "/b", model=model, cameras=cameras, checkpoint=str(tmp_path))
    choice = choose_solver(settings, progress)
    assert (choice.title, choice.checkpoint) == (title, file)


@pytest.mark.parametrize("cameras", ["AUTO", "DA3", "COLMAP"])
def test_the_preview_says_what_to_expect(tmp_path, progress, notes, cameras):
    file = tmp_path / "da3-tiny.safetensors"
    file.touch()
    settings = RunSettings(("/a",), "/b", model="da3-tiny", cameras=cameras)
    choose_solver(replace(settings, checkpoint=str(tmp_path)), progress)
    (note,) = notes
    assert "preview" in note
    assert "Download Base" in note
    assert ("from COLMAP" in note) == (cameras == "DA3")


def test_the_preview_does_not_stand_in_for_a_model_that_is_not_here(
    tmp_path, monkeypatch, progress, notes
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    choice = choose_solver(RunSettings(("/a",), "/b", model="da3-base"), progress)
    assert choice.title == "COLMAP"
    assert "sparse" in notes[0]
    with pytest.raises(EngineError, match="da3-base are not on this machine"):
        choose_solver(RunSettings(("/a",), "/b", model="da3-base", cameras="DA3"), progress)


def test_a_folder_that_has_other_models_is_no_failure(tmp_path, monkeypatch, progress):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    own = tmp_path / "mine"
    own.mkdir()
    (own / "da3-small.safetensors").touch()
    settings = RunSettings(("/a",), "/b", model="da3-base", checkpoint=str(own))
    assert choose_solver(settings, progress).title == "COLMAP"
    assert choose_solver(replace(settings, model="da3-small"), progress).title == "DA3"
    with pytest.raises(EngineError, match="not on this machine"):
        choose_solver(replace(settings, cameras="DA3"), progress)


def test_an_installation_without_the_preview_is_to_be_repaired(monkeypatch, progress):
    monkeypatch.setattr(model_store, "find_bundled_checkpoint", lambda _entry: None)
    settings = RunSettings(("/a",), "/b", model="da3-tiny", cameras="DA3", may_download=True)
    with pytest.raises(EngineError, match="not on this machine") as caught:
        choose_solver(settings, progress)
    assert caught.value.hint.startswith("Install the extension again")
    choice = choose_solver(replace(settings, cameras="COLMAP"), progress)
    assert choice.title == "COLMAP"


@pytest.mark.parametrize("model", ["da3-base", "da3-large"])
def test_a_run_tells_the_licence_before_it_downloads(
    hub, tmp_path, monkeypatch, progress, notes, model
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    settings = RunSettings(("/a",), "/b", model=model, may_download=True)
    choice = choose_solver(settings, progress)
    assert choice.checkpoint is not None
    assert choice.checkpoint.read_bytes() == hub.files["model.safetensors"]
    assert ["No commercial use" in note for note in notes] == ([True] * (model == "da3-large"))


def run_command(hub, cache, *words):
    environment = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "0"}
    return subprocess.run(
        [sys.executable, "-P", "-m", "da3_blender", *words],
        env=os.environ
        | environment
        | {"PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=60,
    )


def test_the_command_line_downloads_and_lists(hub, tmp_path):
    refused = run_command(hub, tmp_path, "download", "da3-giant")
    assert refused.returncode == 1
    assert "CC BY-NC 4.0" in refused.stderr
    assert "5.4 GB" in refused.stderr
    assert hub.requests == []
    done = run_command(hub, tmp_path, "download", "da3-giant", "--yes")
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    assert path.read_bytes() == hub.files["model.safetensors"]
    listed = run_command(hub, tmp_path, "models").stdout.splitlines()
    here = dict(zip((line.split()[0] for line in listed[::2]), listed[1::2], strict=True))
    assert list(here) == list(MODELS)
    assert here.pop("da3-giant").strip() == str(path)
    bundled = model_store.find_bundled_checkpoint(MODELS["da3-tiny"])
    assert here.pop("da3-tiny").strip() == str(bundled or "not on this machine")
    assert {line.strip() for line in here.values()} == {"not on this machine"}


def test_the_command_line_does_not_ask_for_what_is_here(hub, tmp_path):
    done = run_command(hub, tmp_path, "download", "da3-tiny")  # nobody can answer a question
    assert "nothing is downloaded" in done.stderr
    assert hub.requests == []
    bundled = model_store.find_bundled_checkpoint(MODELS["da3-tiny"])
    if bundled is None:
        assert "Install the extension again" in done.stderr
    else:
        assert done.stdout.strip() == str(bundled)


def test_the_command_line_explains_a_refusal(hub, tmp_path):
    hub.refusal = (401, None)
    failed = run_command(hub, tmp_path, "download", "da3-small", "--yes")
    assert failed.returncode == 1
    assert "HF_TOKEN" in failed.stderr
    assert "Traceback" not in failed.stderr
