# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model that comes with the extension: found where it lies, never asked for on the hub."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")

from da3_blender.contract import models
from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.inference import model_store


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
