# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading checkpoints strictly.

Runs in the engine's environment.
"""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("safetensors", reason="safetensors is not installed")

import torch
from safetensors.torch import save_file

from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.models import MODELS, get_model
from da3_blender.inference.weights import (
    StoredTensor,
    identify_architecture,
    load_network,
    official_key,
)
from da3_blender.network.any_view import AnyViewNetwork
from da3_blender.network.presets import PRESETS, AnyViewPreset, BackbonePreset, HeadPreset

TINY = AnyViewPreset(
    name="tiny",
    backbone=BackbonePreset(
        width=64,
        depth=9,
        ffn_hidden=64,
        has_gated_ffn=False,
        out_layers=(3, 5, 7, 8),
        multi_view_start=2,
        position_grid=3,
    ),
    head=HeadPreset(out_channels=(4, 4, 4, 4), features=8),
)
SHARED_NORM = "model.head.scratch.output_conv2_aux.{}.2.{}"


@pytest.fixture(autouse=True)
def tiny_preset(monkeypatch):
    monkeypatch.setitem(PRESETS, TINY.name, TINY)


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        # widths below 16 heads do not exist in the camera encoder; 64 / 16 = 4 channels do
        return AnyViewNetwork(TINY).requires_grad_(requires_grad=False).eval()


@pytest.fixture
def state(network):
    return {official_key(k): v.clone() for k, v in network.state_dict().items()}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def refuse(path, *parts):
    with pytest.raises(EngineError) as error:
        load_network(path, "cpu")
    assert error.value.code is ErrorCode.CHECKPOINT_WRONG
    assert str(path) in error.value.message
    assert error.value.hint
    for part in parts:
        assert part in error.value.message
    return error.value


def test_round_trip(network, state, path):
    save_file(state, path)
    loaded, preset = load_network(path, "cpu")
    assert preset is TINY
    assert not loaded.training
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    images = torch.randn(1, 2, 3, 28, 42, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(loaded(images).depth, network(images).depth)


def test_folder_works_too(state, path):
    save_file(state, path)
    load_network(path.parent, "cpu")


def test_both_layouts_of_the_shared_norm(network, state, path):
    for level in (1, 2, 3):
        for leaf in ("weight", "bias"):
            source = state[SHARED_NORM.format(0, leaf)]
            state[SHARED_NORM.format(level, leaf)] = source.clone()
    save_file(state, path)
    loaded, _ = load_network(path, "cpu")
    name = "head.scratch.output_conv2_aux.3.2.weight"
    assert torch.equal(loaded.state_dict()[name], network.state_dict()[name])


def test_parts_without_effect_are_ignored(state, path):
    state["model.head.scratch.output_conv1_aux.0.0.weight"] = torch.zeros(1)
    state["model.head.scratch.output_conv2_aux.2.5.bias"] = torch.zeros(1)
    save_file(state, path)
    load_network(path, "cpu")


def test_half_precision_touches_only_matrix_products(state, path):
    save_file({key: value.to(torch.float16) for key, value in state.items()}, path)
    loaded, _ = load_network(path, "cpu", torch.bfloat16)
    half = {name for name, p in loaded.named_parameters() if p.dtype == torch.bfloat16}
    full = {name for name, p in loaded.named_parameters() if p.dtype == torch.float32}
    assert "backbone.pretrained.blocks.0.attn.qkv.weight" in half
    assert "backbone.pretrained.patch_embed.proj.bias" in half
    assert "backbone.pretrained.blocks.0.norm1.weight" in full
    assert "backbone.pretrained.blocks.0.ls1.gamma" in full
    assert "cam_enc.trunk.0.attn.qkv.weight" in full
    assert half | full == {name for name, _ in loaded.named_parameters()}


def test_missing_and_unexpected_tensors_are_named(state, path):
    del state["model.cam_dec.fc_t.bias"]
    state["model.cam_dec.fc_x.bias"] = torch.zeros(3)
    save_file(state, path)
    refuse(path, "1 missing (model.cam_dec.fc_t.bias)", "1 unexpected (model.cam_dec.fc_x.bias)")


def test_wrong_shape_is_named(state, path):
    state["model.cam_dec.fc_t.bias"] = torch.zeros(4)
    save_file(state, path)
    refuse(path, "model.cam_dec.fc_t.bias", "(4,)", "(3,)")


def test_whole_numbers_are_refused(state, path):
    state["model.cam_dec.fc_t.bias"] = torch.zeros(3, dtype=torch.int32)
    save_file(state, path)
    refuse(path, "I32")


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.5, 0.999])
def test_cut_short(state, path, share):
    save_file(state, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    error = refuse(path)
    assert "cut short" in error.message or "not a safetensors" in error.message
    assert "download" in error.hint


def test_bytes_to_spare(state, path):
    save_file(state, path)
    with path.open("ab") as file:
        file.write(b"\0" * 10)
    refuse(path, "to spare")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!doctype html><html>not found</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
        (b"PK\x03\x04" + b"\0" * 100, "not a safetensors"),
        (b"\x10\0\0\0\0\0\0\0" + b"[1, 2, 3, 4, 5]  ", "not a safetensors"),
        (b"\x10\0\0\0\0\0\0\0" + b'{"a": {"b": 1}}  ', "not a safetensors"),
    ],
    ids=["web page", "pointer", "archive", "list", "other entries"],
)
def test_other_files(path, content, words):
    path.write_bytes(content)
    refuse(path, words)


def test_missing_file(path):
    with pytest.raises(EngineError) as error:
        load_network(path, "cpu")
    assert error.value.code is ErrorCode.CHECKPOINT_MISSING
    assert str(path) in error.value.message


def test_a_metric_checkpoint_is_recognised(state, path):
    state["model.head.scratch.sky_output_conv2.0.weight"] = torch.zeros(1)
    save_file(state, path)
    refuse(path, "does not fit da3metric-large")


def test_gaussian_head_only_where_it_belongs(state, path):
    state["model.gs_head.projects.0.weight"] = torch.zeros(2, 2)
    save_file(state, path)
    refuse(path, "1 unexpected (model.gs_head.projects.0.weight)")


def test_config_decides_the_architecture(state, path):
    save_file(state, path)
    path.with_name("config.json").write_text(json.dumps({"model_name": "da3mono-large"}))
    refuse(path, "does not fit da3mono-large")
    path.with_name("config.json").write_text(json.dumps({"model_name": "da4"}))
    refuse(path, "da4", "none of ours")
    path.with_name("config.json").write_text(json.dumps({"model_name": "tiny"}))
    load_network(path, "cpu")
    path.with_name("config.json").write_text("not json")
    load_network(path, "cpu")


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("models--depth-anything--DA3MONO-LARGE/snapshots/abc", "da3mono-large"),
        ("models--depth-anything--DA3METRIC-LARGE/snapshots/abc", "da3metric-large"),
        ("monolith/weights", "da3metric-large"),
    ],
)
def test_mono_and_metric_differ_by_the_name_of_the_folder_only(tmp_path, folder, name):
    # both have the same keys; without a config file the name is all there is
    path = tmp_path / folder / "model.safetensors"
    path.parent.mkdir(parents=True)
    save_file({"model.head.scratch.sky_output_conv2.0.weight": torch.zeros(1)}, path)
    refuse(path, f"does not fit {name}")


def test_architecture_from_keys():
    def header(*keys, width=384):
        token = {"model.backbone.pretrained.cls_token": StoredTensor("F32", (1, 1, width))}
        return token | dict.fromkeys(keys, StoredTensor("F32", (1,)))

    assert identify_architecture(header()) == "da3-small"
    assert identify_architecture(header(width=1536)) == "da3-giant"
    assert identify_architecture(header("model.da3_metric.x")) == "da3nested-giant-large"
    assert identify_architecture(header("a.sky_output_conv2.0.bias")) == "da3metric-large"
    assert identify_architecture(header(width=7)) == ""
    assert identify_architecture({}) == ""


def test_model_table():
    assert MODELS["da3-small"].is_commercial_use_allowed
    assert not MODELS["da3-giant"].is_commercial_use_allowed
    assert all(entry.architecture.name in PRESETS for entry in MODELS.values())
    with pytest.raises(EngineError):
        get_model("da3-huge")
