# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Less and less memory: the run goes on, with the same numbers, as long as something fits.

Runs in the engine's environment; memory limits are simulated on the processor by counting the
bytes of all tensors that are alive.
"""

from __future__ import annotations

import logging
import weakref
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.models import estimate_memory_bytes
from da3_blender.contract.progress import Progress
from da3_blender.contract.settings import RunSettings
from da3_blender.inference import loading, metric_scale, model_store, out_of_memory
from da3_blender.inference import predictor as predictor_module
from da3_blender.inference.metric_scale import MetricScale
from da3_blender.inference.out_of_memory import MemoryPlan, plan_less_memory, plan_memory
from da3_blender.inference.precision import cast_backbone
from da3_blender.inference.predictor import PredictOptions, Predictor
from da3_blender.network import block as block_module
from da3_blender.network.any_view import AnyViewNetwork, ForwardOptions
from da3_blender.network.dual_dpt import DualDPT
from da3_blender.network.presets import PRESETS, AnyViewPreset, BackbonePreset, HeadPreset
from da3_blender.network.work import count_head_bytes, count_projected_bytes
from da3_blender.pipeline import dense

CUDA = torch.device("cuda")
TINY = AnyViewPreset(
    name="tiny",
    backbone=BackbonePreset(
        width=128,
        depth=10,
        ffn_hidden=192,
        has_gated_ffn=False,
        out_layers=(3, 5, 7, 9),
        multi_view_start=2,
        position_grid=5,
    ),
    head=HeadPreset(out_channels=(48, 56, 64, 72), features=16),
    has_gaussian_head=True,
)
VIEWS = 7
SIZE = (42, 56)


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of living tensors, and refuses more than a limit."""

    def __init__(self, limit=float("inf")):
        super().__init__()
        self.now = self.peak = 0
        self.limit = limit
        self._known = set()

    def __torch_dispatch__(self, function, _types, arguments=(), keywords=None):
        result = function(*arguments, **(keywords or {}))
        for x in tree_leaves(result):
            if isinstance(x, torch.Tensor):
                self._count(x.untyped_storage())
        return result

    def _count(self, storage):
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        if self.now + size > self.limit:
            message = "CUDA out of memory (simulated)"
            raise torch.OutOfMemoryError(message)
        self._known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key, size):
        self._known.discard(key)
        self.now -= size


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return AnyViewNetwork(TINY).requires_grad_(requires_grad=False)


@pytest.fixture
def predictor(network):
    return Predictor(network, TINY, "cpu")


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8) for _ in range(VIEWS)]


@pytest.fixture
def card(monkeypatch):
    """Let the processor pass for a card with a memory of its own, four views at a time."""
    monkeypatch.setattr(out_of_memory, "has_own_memory", lambda _device: True)
    monkeypatch.setattr(predictor_module, "plan_memory", lambda *_a, **_k: MemoryPlan(4))


@pytest.fixture
def park(monkeypatch):
    """Count what goes to the main memory, which no limit of the card concerns."""
    parked = []

    def copy(x):
        with torch.utils._python_dispatch._disable_current_modes():
            parked.append(x.shape)
            return x.clone()

    monkeypatch.setattr(predictor_module, "park_on_host", copy)
    return parked


def make_options(**changes):
    return PredictOptions(process_resolution=56, reference_view="first", **changes)


def assert_same(result, expected):
    for name in ("depth", "confidence", "w2c", "K"):
        np.testing.assert_allclose(
            getattr(result, name), getattr(expected, name), rtol=2e-5, atol=1e-6, err_msg=name
        )


@pytest.mark.parametrize("name", ["da3-small", "da3-base", "da3-large"])
@pytest.mark.parametrize("size", [(280, 504), (504, 504)])
@pytest.mark.parametrize("with_rays", [False, True])
def test_the_memory_of_a_head_is_what_its_tensors_take(name, size, with_rays):
    preset = PRESETS[name]
    with torch.device("meta"):
        head = DualDPT(preset.token_width, preset.head)
        grid = (size[0] // 14, size[1] // 14)
        levels = tuple(torch.empty(1, c, *grid) for c in preset.head.out_channels)
    counter = LiveBytes()
    with torch.no_grad(), counter:
        head(levels, size, wants_rays=with_rays)
    assert sum(x.nbytes for x in levels) == count_projected_bytes(preset.head, size)
    expected = count_head_bytes(preset.head, size, with_rays=with_rays)
    assert counter.peak == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("spare_views", "chunk"), [(100, 4), (7, 3), (4.5, 2), (1, 1)])
def test_views_at_a_time_follow_the_free_memory(monkeypatch, spare_views, chunk):
    preset, size = PRESETS["da3-large"], (280, 504)
    each = count_head_bytes(preset.head, size, with_rays=False)
    free = 30 * count_projected_bytes(preset.head, size) + spare_views * each
    monkeypatch.setattr(out_of_memory, "read_free_bytes", lambda _device: free)
    assert plan_memory(preset, 30, size, CUDA, with_rays=False).views_per_chunk == chunk
    assert plan_memory(preset, 30, size, torch.device("cpu"), with_rays=False) == MemoryPlan(1)


def test_the_order_of_the_steps():
    steps, plan = [], MemoryPlan(4)
    while plan is not None:
        steps.append((plan.views_per_chunk, plan.parks_on_host))
        plan = plan_less_memory(plan, CUDA, failed_before_heads=False)
    assert steps == [(4, False), (2, False), (1, False), (1, True)]
    parked = plan_less_memory(MemoryPlan(4), CUDA, failed_before_heads=True)
    assert parked == MemoryPlan(1, parks_on_host=True)
    for name in ("cpu", "mps"):  # there the main memory is the same memory
        assert plan_less_memory(MemoryPlan(1), torch.device(name), failed_before_heads=True) is None


@pytest.mark.parametrize("most", [3, 1])
@pytest.mark.usefixtures("card")
def test_chunks_are_halved_until_they_fit(predictor, images, monkeypatch, most):
    expected = predictor.predict(images, make_options())
    forward, sizes = DualDPT.forward, []

    def run_out(self, projected, *arguments, **options):
        sizes.append(len(projected[0]))
        if len(projected[0]) > most:
            message = "CUDA out of memory. Tried to allocate 3 GiB"
            raise torch.OutOfMemoryError(message)
        return forward(self, projected, *arguments, **options)

    monkeypatch.setattr(DualDPT, "forward", run_out)
    assert_same(predictor.predict(images, make_options()), expected)
    assert sizes == ([4, 2, 2, 2, 1] if most == 3 else [4, 2, *[1] * VIEWS])


@pytest.mark.parametrize("changes", [{}, {"wants_rays": True}, {"wants_gaussians": True}], ids=str)
def test_the_main_memory_changes_no_number(predictor, images, monkeypatch, park, changes):
    options = make_options(**changes)
    expected = predictor.predict(images, options)
    plan = MemoryPlan(1, parks_on_host=True)
    monkeypatch.setattr(predictor_module, "plan_memory", lambda *_a, **_k: plan)
    result = predictor.predict(images, options)
    for name in ("depth", "confidence", "w2c", "K"):
        assert np.array_equal(getattr(result, name), getattr(expected, name)), name
    if result.rays is not None:
        assert np.array_equal(result.rays.rays, expected.rays.rays)
    if result.gaussians is not None:
        for ours, theirs in zip(result.gaussians, expected.gaussians, strict=True):
            assert np.array_equal(ours, theirs)
    heads = 2 if options.wants_gaussians else 1
    assert len(park) >= VIEWS * (4 * heads + 2)


@pytest.mark.usefixtures("card")
def test_a_limit_between_is_met_with_the_main_memory(predictor, images, monkeypatch, park, caplog):
    options = make_options()
    expected = predictor.predict(images, options)
    peaks = {}
    for plan in (MemoryPlan(1), MemoryPlan(1, parks_on_host=True)):
        monkeypatch.setattr(predictor_module, "plan_memory", lambda *_a, p=plan, **_k: p)
        with LiveBytes() as counter:
            predictor.predict(images, options)
        peaks[plan.parks_on_host] = counter.peak
    assert peaks[True] < 0.95 * peaks[False]
    park.clear()
    monkeypatch.setattr(predictor_module, "plan_memory", lambda *_a, **_k: MemoryPlan(4))
    with caplog.at_level(logging.WARNING), LiveBytes((peaks[True] + peaks[False]) / 2):
        result = predictor.predict(images, options)
    assert_same(result, expected)
    assert park
    assert "parks_on_host=True" in caplog.text


@pytest.mark.usefixtures("card", "park")
def test_nothing_fits_and_the_numbers_to_try_come(predictor, images):
    with LiveBytes(limit=200_000), pytest.raises(EngineError) as caught:
        predictor.predict(images, make_options())
    assert caught.value.code is ErrorCode.OUT_OF_MEMORY
    assert f"{VIEWS} views of 56 x 42" in caught.value.message
    assert "resolution of 28" in caught.value.hint
    assert predictor.predict(images, make_options()).depth.shape == (VIEWS, *SIZE)


def test_parking_keeps_the_values():
    x = torch.randn(3, 5)[:, ::2]
    assert torch.equal(out_of_memory.park_on_host(x), x)


@pytest.mark.parametrize("failures", [0, 1, 2, 3])
def test_metres_find_room_beside_or_instead_of_the_other_network(
    predictor, images, monkeypatch, tmp_path, failures
):
    prediction = predictor.predict(images, make_options())
    tries, notes = [], []

    def load(_checkpoint, device):
        tries.append(device)
        if len(tries) <= failures:
            raise EngineError(ErrorCode.OUT_OF_MEMORY, "Memory ran out.", "Try less.")
        return "metric"

    def measure(found, metric, *_listeners):
        assert (found, metric) == (prediction, "metric")
        return MetricScale(2.0, 0.1, 99), np.zeros(prediction.depth.shape, bool)

    monkeypatch.setattr(loading, "load_predictor", load)
    monkeypatch.setattr(metric_scale, "measure_metric_scale", measure)
    monkeypatch.setattr(model_store, "find_local_checkpoint", lambda *_a: tmp_path)
    moves = []
    lend = contextmanager(lambda _predictor: (yield moves.append("lent")))
    monkeypatch.setattr(Predictor, "moved_to_host", lend)
    settings = RunSettings(inputs=("photos",), output="unused", device="auto")
    progress = Progress(lambda *_a: None, lambda: False, notes.append)
    result = dense._measure_scale(prediction, predictor, settings, progress, is_known=False)
    assert tries == ["auto", "auto", "cpu"][: failures + 1]
    assert moves == (["lent"] if failures else [])
    assert len(notes) == 1
    if failures == 3:
        assert "not enough memory" in notes[0]
        assert not result.is_metric
    else:
        assert result.is_metric
        np.testing.assert_allclose(result.depth, 2 * prediction.depth, rtol=1e-6)


def test_a_lent_network_comes_back(predictor, images):
    expected = predictor.predict(images, make_options())
    with predictor.moved_to_host():
        assert next(predictor.network.parameters()).device.type == "cpu"
    assert np.array_equal(predictor.predict(images, make_options()).depth, expected.depth)


@pytest.mark.parametrize(
    ("name", "views", "limit_gib"),
    [("da3-giant", 100, 6.8), ("da3-large", 200, 6.8), ("da3-tiny", 100, 0.8)],
)
def test_a_card_of_8_gb_holds_many_views(monkeypatch, name, views, limit_gib):
    """Simulated: the bytes of all tensors alive; 1.2 GB are left for driver and desktop."""
    monkeypatch.setattr(block_module, "attend", lambda q, _k, _v: torch.empty_like(q))  # fused
    monkeypatch.setattr(torch, "autocast", lambda **_options: nullcontext())  # meta has none
    with torch.device("meta"):
        network = AnyViewNetwork(PRESETS[name]).requires_grad_(requires_grad=False)
        images = torch.empty(1, views, 3, 280, 504)
    cast_backbone(network, torch.bfloat16)
    options = ForwardOptions(reference_view="first", views_per_chunk=4)
    with torch.inference_mode(), LiveBytes() as counter:
        network(images, options=options)
    total = counter.peak + images.nbytes + sum(x.nbytes for x in network.parameters())
    assert total < limit_gib * 2**30
    estimate = estimate_memory_bytes(name, views, 280, 504, "bfloat16")
    assert total == pytest.approx(estimate, rel=0.25)
