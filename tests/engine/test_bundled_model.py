# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model that comes with the extension: found where it lies, never asked for on the hub."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")

from da3_blender.contract import models
from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.progress import Progress
from da3_blender.contract.result_folder import load_result
from da3_blender.contract.settings import RunSettings
from da3_blender.inference import model_store
from da3_blender.pipeline.run import Pipeline

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "courtyard"


@pytest.fixture
def weights():
    """The file in the box, as it lies in this checkout."""
    path = model_store.find_bundled_checkpoint(models.MODELS["da3-tiny"])
    if path is None:
        pytest.skip("the weights of da3-tiny are not in this checkout (docs/da3-tiny.md)")
    return path


@pytest.fixture
def entry(monkeypatch, tmp_path):
    """A model in a catalogue of its own, whose extension lies in `tmp_path`/extension."""
    made = replace(
        models.MODELS["da3-small"],
        id="da3-own",
        title="Own",
        repository="",
        licence=models.PUBLIC_DOMAIN,
        is_bundled=True,
        greatest_resolution=140,
    )
    monkeypatch.setitem(models.MODELS, made.id, made)
    lookup = model_store.find_bundled_checkpoint
    monkeypatch.setattr(
        model_store, "find_bundled_checkpoint", lambda e: lookup(e, tmp_path / "extension")
    )
    monkeypatch.setattr(model_store, "_find_in_cache", forbid)
    return made


def forbid(*_):
    pytest.fail("the cache of the hub has nothing to do with a model that comes along")


def put(folder):
    path = folder / "model.safetensors"
    folder.mkdir(parents=True)
    path.write_bytes(b"weights")
    return path


def test_it_is_found_in_the_extension_and_needs_no_download(entry, tmp_path):
    path = put(tmp_path / "extension" / entry.id)
    assert model_store.find_local_checkpoint(entry.id) == path
    told = []
    found = model_store.download_checkpoint(entry.id, lambda *sizes: told.append(sizes))
    assert found == path
    assert told == [(7, 7)]


def test_a_folder_of_the_user_comes_first_but_another_models_file_is_not_taken(entry, tmp_path):
    bundled = put(tmp_path / "extension" / entry.id)
    put(tmp_path / "single")
    assert model_store.find_local_checkpoint(entry.id, tmp_path / "single") == bundled
    own = put(tmp_path / "many" / entry.id)
    assert model_store.find_local_checkpoint(entry.id, tmp_path / "many") == own


def test_an_installation_without_it_says_so(entry):
    assert model_store.find_local_checkpoint(entry.id) is None
    with pytest.raises(EngineError, match="should have come") as caught:
        model_store.download_checkpoint(entry.id, lambda *_: None)
    assert caught.value.code is ErrorCode.CHECKPOINT_MISSING


def test_the_catalogue_says_that_it_is_here_and_how_fine_it_sees(entry):
    assert entry.is_bundled
    assert "comes with the extension" in entry.describe()
    assert entry.limit_resolution(504) == 140
    assert entry.limit_resolution(98) == 98
    other = models.MODELS["da3-base"]
    assert not other.is_bundled
    assert other.limit_resolution(504) == 504


def test_the_weights_are_those_that_the_facts_beside_them_name(weights):
    entry = models.MODELS["da3-tiny"]
    content = weights.read_bytes()
    facts = json.loads(weights.with_name("config.json").read_text(encoding="utf-8"))
    assert facts["model_name"] == entry.architecture.name
    assert facts["sha256"] == hashlib.sha256(content).hexdigest()
    assert facts["file_bytes"] == len(content) < 16e6
    assert facts["parameters"] == entry.architecture.parameters
    assert facts["licence"] == entry.licence.spdx_id


def test_a_run_without_any_download_gives_depth_at_the_size_that_the_model_likes(
    weights, tmp_path, monkeypatch
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    notes = []
    photos = tuple(str(path) for path in sorted(SAMPLES.glob("*.jpg"))[:3])
    settings = RunSettings(
        photos, str(tmp_path / "result"), cameras="DA3", model="da3-tiny", device="cpu",
        process_resolution=504,
    )  # fmt: skip
    summary = Pipeline().run(settings, Progress(lambda *_: None, lambda: False, notes.append))
    result = load_result(Path(summary["folder"]))
    depth = result.load("depth")
    assert max(depth.shape[1:]) == models.MODELS["da3-tiny"].greatest_resolution
    assert depth.min() > 0
    assert depth.std() / depth.mean() > 0.1  # it sees more than a wall
    assert result.manifest["model"] == "da3-tiny"
    assert result.manifest["settings"]["process_resolution"] == 504  # what the user chose stays
    assert any("preview" in note for note in result.manifest["notes"])
    assert summary["points"] > 1000
    assert str(weights) not in json.dumps(result.manifest)
