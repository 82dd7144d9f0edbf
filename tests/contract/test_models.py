# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue of models: completeness, licences, sizes, memory."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.models import (
    DEFAULT_MODEL,
    MODELS,
    Capability,
    check_licence,
    estimate_memory_bytes,
    format_gigabytes,
    get_model,
    list_models,
)
from da3_blender.contract.settings import MODELS as CHOICES
from da3_blender.contract.settings import RunSettings

INVENTORIES = Path(__file__).resolve().parents[3] / "shared" / "spec" / "state_dicts"
GIB = 2**30
# Ray stacks whose result nothing reads; the norm that all four share is stored at number 0.
DEAD = re.compile(r"output_conv1_aux\.[012]\.|output_conv2_aux\.([012]\.[05]|[12]\.2)\.")
MATRIX = re.compile(
    r"backbone\.pretrained\.(patch_embed\.proj|blocks\.\d+\.(attn\.(qkv|proj)|mlp\.\w+))\."
)


def test_all_published_checkpoints_are_there_once():
    names = {"-SMALL", "-BASE", "METRIC-LARGE", "MONO-LARGE"}
    names |= {f"-{size}{version}" for size in ("LARGE", "GIANT") for version in ("", "-1.1")}
    names |= {"NESTED-GIANT-LARGE", "NESTED-GIANT-LARGE-1.1"}
    repositories = [entry.repository for entry in MODELS.values()]
    published = sorted(f"depth-anything/DA3{name}" for name in names)
    assert sorted(filter(None, repositories)) == published


def test_one_model_comes_with_the_extension():
    (entry,) = (entry for entry in MODELS.values() if not entry.repository)
    assert entry.id == "da3-tiny"
    assert entry.is_bundled
    assert entry.licence.spdx_id == "CC0-1.0"
    assert entry.page == entry.licence.url
    assert entry.download_bytes < 16e6
    assert entry.limit_resolution(504) == entry.greatest_resolution < 504
    assert (
        RunSettings(("/a",), "/b", model=entry.id).network_resolution == entry.greatest_resolution
    )
    assert RunSettings(("/a",), "/b", model="da3-base").network_resolution == 504
    assert entry.id != DEFAULT_MODEL
    assert "Base" in entry.purpose
    assert "synthetic" in entry.purpose


def test_plain_names_mean_the_recommended_checkpoints():
    assert get_model("da3-large").repository.endswith("DA3-LARGE-1.1")
    assert get_model("da3-giant").repository.endswith("DA3-GIANT-1.1")
    assert get_model("da3nested-giant-large").repository.endswith("DA3NESTED-GIANT-LARGE-1.1")
    for entry in MODELS.values():
        assert entry.is_deprecated == entry.id.endswith("-1.0")
        assert entry.id.removesuffix("-1.0") == entry.architecture.name
    assert tuple(MODELS) == CHOICES
    assert not get_model(DEFAULT_MODEL).is_deprecated


def test_licences_are_those_of_the_authors():
    free = {entry.id for entry in list_models(commercial_only=True)}
    assert free == {"da3-tiny", "da3-small", "da3-base", "da3metric-large", "da3mono-large"}
    for entry in MODELS.values():
        expected = "Apache-2.0" if entry.id in free else "CC-BY-NC-4.0"
        if entry.is_bundled:
            expected = "CC0-1.0"
        assert entry.licence.spdx_id == expected
        assert ("non-commercial" in entry.describe()) == (entry.id not in free)
        assert entry.licence.url.startswith("https://")
    assert len(list_models(commercial_only=False)) == len(MODELS)


def test_the_preference_refuses_what_is_not_free():
    check_licence("da3-giant", commercial_only=False)
    check_licence("da3-base", commercial_only=True)
    with pytest.raises(EngineError, match=r"CC BY-NC 4\.0, which forbids") as caught:
        check_licence("da3-giant", commercial_only=True)
    assert caught.value.code is ErrorCode.SETTINGS_INVALID
    assert "Base" in caught.value.hint
    with pytest.raises(EngineError, match="da3-huge"):
        check_licence("da3-huge", commercial_only=False)


def test_models_without_cameras_need_another_solver():
    for entry in MODELS.values():
        settings = RunSettings(("/a",), "/b", cameras="DA3", model=entry.id)
        finds = Capability.CAMERAS in entry.architecture.capabilities
        assert finds == (not entry.architecture.is_single_view)
        assert (settings.problems() == []) == finds
        assert RunSettings(("/a",), "/b", cameras="COLMAP", model=entry.id).problems() == []


@pytest.mark.parametrize("entry", MODELS.values(), ids=lambda entry: entry.id)
def test_sizes_are_counted_on_the_published_keys(entry):
    path = INVENTORIES / f"{entry.architecture.name}.json"
    if not path.is_file():
        pytest.skip(f"no inventory {path.name} beside the checkout")
    counts = {key: math.prod(shape) for key, shape in json.loads(path.read_text()).items()}
    assert entry.architecture.parameters == sum(counts.values())
    live = {key: count for key, count in counts.items() if not DEAD.search(key)}
    matrices = sum(count for key, count in live.items() if MATRIX.search(key))
    in_float32 = 4 * sum(live.values())
    assert entry.architecture.weights_bytes_float32 == in_float32
    assert entry.architecture.weights_bytes_half == in_float32 - 2 * matrices


# GiB of one view beyond the weights, MiB of each further view: performance specification 3.4.
@pytest.mark.parametrize(
    ("model_id", "shape", "first_gib", "further_mib"),
    [
        ("da3-small", (280, 504), 0.13 - 0.06, 5.7),
        ("da3-base", (280, 504), 0.34 - 0.23, 9.8),
        ("da3-large", (280, 504), 0.94 - 0.72, 15.0),
        ("da3-giant", (280, 504), 2.54 - 2.33, 19.2),
        ("da3-small", (504, 504), 0.19 - 0.06, 10.3),
        ("da3-base", (504, 504), 0.43 - 0.23, 17.6),
        ("da3-large", (504, 504), 1.12 - 0.72, 27.0),
        ("da3-giant", (504, 504), 2.72 - 2.33, 34.6),
    ],
)
def test_memory_follows_the_specification(model_id, shape, first_gib, further_mib):
    weights = get_model(model_id).architecture.weights_bytes_half
    one = estimate_memory_bytes(model_id, 1, *shape)
    many = estimate_memory_bytes(model_id, 101, *shape)
    # the table has two decimals: 0.01 GiB
    assert (one - weights) / GIB == pytest.approx(first_gib, abs=0.011)
    assert (many - one) / 100 / 2**20 == pytest.approx(further_mib, rel=0.03)


# MB above the weights on a processor at 280x504 in float32, from the same place.
@pytest.mark.parametrize(
    ("model_id", "views", "measured_mb"),
    [("da3-base", 8, 262), ("da3-small", 8, 176), ("da3-large", 2, 392)],
)
def test_float32_memory_covers_what_was_measured(model_id, views, measured_mb):
    weights = get_model(model_id).architecture.weights_bytes_float32
    rest = estimate_memory_bytes(model_id, views, 280, 504, "float32") - weights
    assert 1.0 <= rest / (measured_mb * 1e6) < 1.3


def test_single_view_models_take_no_more_for_more_photos():
    one, many = (estimate_memory_bytes("da3mono-large", n, 504, 504) for n in (1, 500))
    assert one == many


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (137_197_852, "0.14 GB"),
        (999_000_000, "1.0 GB"),
        (1_643_767_068, "1.6 GB"),
        (12e9, "12 GB"),
    ],
)
def test_sizes_are_words(size, words):
    assert format_gigabytes(size) == words
