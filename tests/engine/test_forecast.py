# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before a run: memory and time in a sentence; after it: the speed that the next one uses.

Runs in the engine's environment.
"""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from da3_blender.contract.estimates import DeviceFacts, MeasuredSpeed, count_flops
from da3_blender.contract.progress import Progress
from da3_blender.contract.settings import RunSettings
from da3_blender.contract.views import View
from da3_blender.inference import compiling
from da3_blender.inference.devices import choose_device, describe_device, read_free_bytes
from da3_blender.inference.predictor import PredictOptions, Predictor
from da3_blender.network.any_view import AnyViewNetwork
from da3_blender.pipeline.forecast import SPEED, find_speed, measure_speed, say_forecast
from tests.engine.test_memory_ladder import TINY

CARD = DeviceFacts("cuda", "card", 8 * 10**9, 6 * 10**9)
SPEED_OF_CARD = MeasuredSpeed("card", "da3-large", "bfloat16", 1e12, 0.25)
WANTED = ("card", "da3-large", "bfloat16")
VIEWS = [View(f"{i}.jpg", "", 1920, 1080) for i in range(14)]


@pytest.fixture
def said():
    return SimpleNamespace(details=[], notes=[])


@pytest.fixture
def progress(said):
    listener = lambda _stage, _fraction, detail, _left: said.details.append(detail)  # noqa: E731
    return Progress(listener, lambda: False, said.notes.append)


def make_settings(**changes):
    return RunSettings(("photos",), "out", model="da3-large", **changes)


def make_predictor(device=CARD):
    return SimpleNamespace(
        describe_device=lambda: device, precision="bfloat16", last_run=(3e12, 1.5)
    )


def test_memory_and_time_are_said_before_the_network_starts(progress, said):
    say_forecast(make_predictor(), VIEWS, make_settings(), SPEED_OF_CARD, progress)
    seconds = count_flops("da3-large", 14, 280, 504) / 1e12 + 14 * 0.25
    assert f"and {seconds:.0f} s" in said.details[-1]
    assert said.details[-1].startswith("14 photos, Large 1.1: about 1.")
    assert "card has 8.0 GB" in said.details[-1]
    assert said.notes == []


def test_without_a_measurement_no_time_is_named(progress, said):
    say_forecast(make_predictor(), VIEWS, make_settings(), None, progress)
    assert " and " not in said.details[-1].partition(";")[0]


def test_a_run_that_cannot_fit_is_said_to_the_user(progress, said):
    small = DeviceFacts("cuda", "card", 10**9, 10**9)
    say_forecast(make_predictor(small), VIEWS, make_settings(), None, progress)
    assert len(said.notes) == 1
    assert "resolution is lowered" in said.notes[0]


def test_the_last_speed_of_a_run_like_this_one_is_found(tmp_path):
    def save(name, age_s, speed):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "manifest.json").write_text(json.dumps({SPEED: speed}), encoding="utf-8")
        os.utime(folder / "manifest.json", (1e9 - age_s, 1e9 - age_s))

    save("old", 9, {**SPEED_OF_CARD.to_json(), "flops_per_s": 5e11})
    save("new", 5, SPEED_OF_CARD.to_json())
    save("other network", 1, {**SPEED_OF_CARD.to_json(), "architecture": "da3-small"})
    save("no network", 0, None)
    output = tmp_path / "next"
    assert find_speed([], output, WANTED) == SPEED_OF_CARD
    own = MeasuredSpeed("card", "da3-large", "bfloat16", 2e12, 0.1)
    assert find_speed([own], output, WANTED) == own
    assert find_speed([own], output, ("cpu", "da3-large", "bfloat16")) is None
    assert find_speed([], tmp_path / "nowhere" / "next", WANTED) is None


def test_a_speed_is_the_networks_own_and_the_rest_per_photo():
    speed = measure_speed(make_predictor(), CARD, make_settings(), views=5, seconds=4.0)
    assert speed == MeasuredSpeed("card", "da3-large", "bfloat16", 2e12, 0.5)
    idle = SimpleNamespace(last_run=None)
    assert measure_speed(idle, CARD, make_settings(), views=5, seconds=4.0) is None


def test_the_processor_is_described():
    device = choose_device("cpu")
    facts = describe_device(device)
    assert facts.kind == "cpu"
    assert facts.name
    assert facts.total_bytes >= facts.free_bytes > 0
    assert read_free_bytes(device) > 0


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return AnyViewNetwork(TINY).requires_grad_(requires_grad=False)


def predict(predictor):
    import numpy as np

    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (42, 56, 3), dtype=np.uint8) for _ in range(2)]
    return predictor.predict(images, PredictOptions(process_resolution=56))


def test_a_run_leaves_its_work_and_time(network):
    predictor = Predictor(network, TINY, "cpu")
    assert predictor.last_run is None
    predict(predictor)
    flops, seconds = predictor.last_run
    assert flops > 0
    assert seconds > 0


def test_a_processor_is_not_compiled_and_says_why(network):
    predictor = Predictor(network, TINY, "cpu", compiles=True)
    assert "slower" in predictor.compile_trouble
    assert predictor.compile_trouble is not None


def test_a_machine_without_compiler_says_so(network, monkeypatch):
    def fail(_function):
        message = "No working C++ compiler found\nmore lines"
        raise RuntimeError(message)

    monkeypatch.setattr(torch, "compile", fail)
    trouble = compiling.compile_blocks(network, torch.device("meta"))
    assert trouble == "the compiler does not work here (No working C++ compiler found)"
    assert all(m._compiled_call_impl is None for m in network.modules())


def test_a_compiler_that_fails_in_the_run_is_left(network, monkeypatch):
    from torch._inductor.exc import InductorError

    expected = predict(Predictor(network, TINY, "cpu")).depth

    def compile_blocks(network, _device):
        for block in network.backbone["pretrained"].blocks:
            block._compiled_call_impl = fail
        return ""

    def fail(*_arguments, **_keywords):
        raise InductorError(RuntimeError("no headers"), None)

    monkeypatch.setattr("da3_blender.inference.predictor.compile_blocks", compile_blocks)
    predictor = Predictor(network, TINY, "cpu", compiles=True)
    assert predictor.compile_trouble is None
    assert torch.equal(torch.from_numpy(predict(predictor).depth), torch.from_numpy(expected))
    assert "the compiler failed" in predictor.compile_trouble
