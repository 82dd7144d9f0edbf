# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and shapes of all weights of the full-size networks, on the meta device.

Runs in the engine's environment.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed")

from da3_blender.contract.models import MODELS, get_model
from da3_blender.inference.weights import build_empty_network, is_ignored_key, official_key
from da3_blender.network.presets import PRESETS

MATRIX = re.compile(
    r"backbone\.pretrained\.(patch_embed\.proj|blocks\.\d+\.(attn\.(qkv|proj)|mlp\.\w+))\."
)
SHARED = Path(__file__).resolve().parents[2].parent / "shared"


@pytest.mark.parametrize("name", PRESETS)
def test_official_keys_and_shapes(name):
    path = SHARED / "spec" / "state_dicts" / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"no inventory {path.name} beside the checkout")
    official = {key: tuple(shape) for key, shape in json.loads(path.read_text()).items()}
    state = build_empty_network(PRESETS[name]).state_dict()
    ours = {official_key(key): tuple(value.shape) for key, value in state.items()}
    assert ours.items() <= official.items()
    left = official.keys() - ours.keys()
    assert all(is_ignored_key(key) for key in left)
    # an ignored name must not hide a weight that we use
    assert not [key for key in ours if is_ignored_key(key)]


@pytest.mark.parametrize("entry", MODELS.values(), ids=lambda entry: entry.id)
def test_download_size_is_four_bytes_per_official_weight(entry):
    path = SHARED / "spec" / "state_dicts" / f"{entry.architecture.name}.json"
    if not path.is_file():
        pytest.skip(f"no inventory {path.name} beside the checkout")
    count = 0
    for shape in json.loads(path.read_text()).values():
        size = 1
        for side in shape:
            size *= side
        count += size
    assert entry.download_bytes == 4 * count


def test_the_sizes_of_our_own_model_are_counted_on_its_network():
    entry = get_model("da3-tiny")
    state = build_empty_network(PRESETS[entry.architecture.name]).state_dict()
    count = sum(value.numel() for value in state.values())
    assert entry.architecture.parameters == count
    assert entry.download_bytes == 2 * count
    assert entry.architecture.weights_bytes_float32 == 4 * count
    matrices = sum(
        value.numel() for key, value in state.items() if MATRIX.search(official_key(key))
    )
    assert entry.architecture.weights_bytes_half == 4 * count - 2 * matrices
