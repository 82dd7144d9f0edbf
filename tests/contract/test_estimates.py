# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run will cost: the arithmetic is the network's own, and nothing is guessed.

Runs anywhere with numpy; the comparison with the network's count needs no torch either.
"""

from __future__ import annotations

import json

import pytest

from da3_blender.contract.estimates import (
    DeviceFacts,
    MeasuredSpeed,
    RunEstimate,
    count_flops,
    estimate_run,
    fit_to_network,
    format_duration,
)
from da3_blender.contract.models import MODELS, estimate_memory_bytes

SPEED = MeasuredSpeed("card", "da3-base", "float32", 1e12, 0.5)


@pytest.mark.parametrize("model_id", MODELS)
@pytest.mark.parametrize("views", [1, 14, 300])
@pytest.mark.parametrize("size", [(280, 504), (504, 336), (14, 14)])
def test_operations_are_those_that_the_network_reports(model_id, views, size):
    presets = pytest.importorskip(
        "da3_blender.network.presets", reason="the network's package needs torch"
    )
    work = pytest.importorskip("da3_blender.network.work", reason="the network's package")
    preset = presets.PRESETS[MODELS[model_id].architecture.name]
    expected = work.count_network(preset, views, size, with_rays=False)
    assert count_flops(model_id, views, *size) == pytest.approx(expected, rel=1e-9)


def test_time_needs_a_speed_and_follows_it():
    size = (280, 504)
    assert estimate_run("da3-base", 14, size, "float32").seconds is None
    estimate = estimate_run("da3-base", 14, size, "float32", SPEED)
    assert estimate.seconds == pytest.approx(count_flops("da3-base", 14, *size) / 1e12 + 7)
    assert estimate.memory_bytes == estimate_memory_bytes("da3-base", 14, *size, "float32")


def test_a_speed_fits_its_own_network_device_and_precision_only():
    assert SPEED.fits("card", "da3-base", "float32")
    assert not SPEED.fits("card", "da3-base", "bfloat16")
    assert not SPEED.fits("card", "da3-large", "float32")
    assert not SPEED.fits("other", "da3-base", "float32")


def test_facts_and_speeds_survive_a_message():
    facts = DeviceFacts("cuda", "card", 8 * 10**9, 7 * 10**9)
    assert DeviceFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts
    assert MeasuredSpeed.from_json(json.loads(json.dumps(SPEED.to_json()))) == SPEED


@pytest.mark.parametrize(
    "data", [None, [], {}, {**SPEED.to_json(), "flops_per_s": 0}, {"device": "card"}, "text"]
)
def test_what_is_no_speed_is_none(data):
    assert MeasuredSpeed.from_json(data) is None


def test_what_are_no_facts_is_none():
    assert DeviceFacts.from_json({"kind": "cuda"}) is None
    assert DeviceFacts.from_json(None) is None


def test_the_sentence_says_memory_time_and_what_there_is():
    facts = DeviceFacts("cuda", "RTX 3060", 12 * 10**9, 8 * 10**9)
    sentence = RunEstimate(5 * 10**9, 9.2).describe(14, "da3-large", facts)
    assert sentence == (
        "14 photos, Large 1.1: about 5.0 GB and 9 s; RTX 3060 has 12 GB, 8.0 GB of it free."
    )
    assert RunEstimate(5 * 10**9, None).describe(1, "da3-small") == "1 photo, Small: about 5.0 GB."


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (89, "89 s"), (240, "4 min"), (9000, "2.5 h")]
)
def test_durations(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("photo", "resolution", "is_lower_bound", "size"),
    [
        ((4000, 3000), 504, False, (378, 504)),
        ((3000, 4000), 504, False, (504, 378)),
        ((1920, 1080), 504, False, (280, 504)),
        ((1920, 1080), 280, True, (280, 504)),
        ((4000, 10), 504, False, (14, 504)),
    ],
)
def test_the_size_is_that_of_the_preparation(photo, resolution, is_lower_bound, size):
    assert fit_to_network(*photo, resolution, is_lower_bound=is_lower_bound) == size
    preprocess = pytest.importorskip(
        "da3_blender.inference.preprocess", reason="the preparation needs the engine's libraries"
    )
    import numpy as np

    method = ("lower" if is_lower_bound else "upper") + "_bound_resize"
    picture = np.zeros((photo[1], photo[0], 3), np.uint8)
    assert preprocess.prepare_views([picture], resolution, method).images.shape[1:3] == size
