# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The self-test passes on a good backend and finds bad ones."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from da3_blender.cli import main
from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.models import CONFIG_FILE, WEIGHTS_FILE
from da3_blender.inference import self_test
from da3_blender.inference.weights import official_key
from da3_blender.network.dual_dpt import DualDPT


@pytest.fixture
def nowhere(tmp_path):
    """A box without weights, whatever is in the real one."""
    return tmp_path / "nowhere"


@pytest.fixture
def box(tmp_path):
    """A box with a checkpoint as training exports it, and its reference."""
    folder = tmp_path / "da3-tiny"
    folder.mkdir()
    network = self_test.make_seeded_network()
    tensors = {official_key(k): v.half().contiguous() for k, v in network.state_dict().items()}
    save_file(tensors, folder / WEIGHTS_FILE)
    (folder / CONFIG_FILE).write_text(json.dumps({"model_name": "da3-tiny"}), encoding="utf-8")
    with np.load(self_test.SEEDED_FOLDER / self_test.REFERENCE_FILE) as stored:
        self_test.write_reference(folder, stored["images"])
    return folder


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_good_backend_passes(nowhere, precision):
    result = self_test.run_self_test("cpu", precision, weights=nowhere)
    assert result.weights == "seeded"
    assert result.precision == precision
    # far below the tolerance, so that another processor passes too
    assert result.error < result.tolerance / 10


def test_the_network_in_the_box_is_used_where_it_is(box):
    result = self_test.run_self_test("cpu", weights=box)
    assert result.weights == "da3-tiny"
    assert result.error < 1e-5


def test_weights_in_the_box_have_a_reference():
    if (self_test.WEIGHTS_FOLDER / WEIGHTS_FILE).exists():
        assert self_test.run_self_test("cpu").weights == "da3-tiny", (
            "run tools/write_self_test.py da3_blender/inference/bundled/da3-tiny"
        )
    else:
        assert self_test.run_self_test("cpu").weights == "seeded"


def test_damaged_weights_are_found(box):
    path = box / WEIGHTS_FILE
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(EngineError) as caught:
        self_test.run_self_test("cpu", weights=box)
    assert caught.value.code is ErrorCode.CHECKPOINT_WRONG


@pytest.mark.parametrize("fault", ["swapped axes", "stale memory", "nan", "constant"])
def test_a_backend_that_computes_rubbish_is_found(nowhere, monkeypatch, fault):
    real = DualDPT.forward

    def broken(self, *arguments, **options):
        output = real(self, *arguments, **options)
        depth = output.depth
        if fault == "swapped axes":
            wrong = depth.flip(-1)
        elif fault == "stale memory":
            wrong = depth.clone()
            wrong[..., : depth.shape[-1] // 2] = 1.0
        elif fault == "nan":
            wrong = torch.full_like(depth, float("nan"))
        else:
            wrong = torch.full_like(depth, depth.mean().item())
        return output._replace(depth=wrong)

    monkeypatch.setattr(DualDPT, "forward", broken)
    with pytest.raises(EngineError) as caught:
        self_test.run_self_test("cpu", weights=nowhere)
    assert caught.value.code in (ErrorCode.ENGINE_BROKEN, ErrorCode.INTERNAL)


def test_a_reference_that_could_not_fail_is_refused(box):
    path = box / WEIGHTS_FILE
    tensors = load_file(path)
    head = {name: torch.zeros_like(t) for name, t in tensors.items() if "output_conv2" in name}
    save_file(tensors | head, path)  # the same depth everywhere
    grey = np.full((2, 56, 56, 3), 128, np.uint8)
    with pytest.raises(ValueError, match="take other pictures"):
        self_test.write_reference(box, grey)


def test_the_seeded_network_is_the_same_everywhere():
    state = self_test.make_seeded_network().state_dict()
    # of numpy's stream, as any machine gives it
    assert state["backbone.pretrained.cls_token"][0, 0, 0].item() == pytest.approx(
        0.1290831, abs=1e-6
    )


def test_the_command_answers_in_json(capsys):
    assert main(["self-test", "--device", "cpu", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["device"] == "cpu"
    assert answer["error"] <= answer["tolerance"]


def test_a_device_that_is_not_there_is_a_sentence(capsys):
    if torch.backends.mps.is_available():
        pytest.skip("this machine has the device")
    assert main(["self-test", "--device", "mps", "--json"]) == 1
    failure = json.loads(capsys.readouterr().out)["failure"]
    assert failure["code"] == "settings_invalid"
    assert "mps" in failure["message"]
