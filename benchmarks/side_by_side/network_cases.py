# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed of the network: as shipped, float32 beside float32, bfloat16.

Runs in the benchmark's environment.
"""

from __future__ import annotations

import gc
from functools import partial
from typing import TYPE_CHECKING

import torch

from .gate import check_bfloat16, check_float32, measure_nrmse
from .pictures import load_network_pictures
from .plan import SAMPLES
from .probe import probe
from .random_checkpoint import ensure_checkpoint
from .rows import Row, format_bytes, format_seconds
from .sides import OurSide, UpstreamSide
from .timing import Comparison, take_turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from .plan import Plan
    from .sides import Maps

GROUP = "Network, 504 x 280"
GROUP_ERROR = "Error of 16 bit, depth against upstream's float32, share of its range"
GROUP_MEMORY = "Peak memory, 504 x 280"
_MANY_VIEWS = 8
_SHIPPED = "as shipped; ours float32"
_FLOAT32 = "float32 network; ours float32"
_BFLOAT16_SHIPPED = "as shipped; ours bfloat16"
_BFLOAT16 = "bfloat16 autocast; ours bfloat16"


def has_bfloat16(device: str) -> bool:
    """Tell whether the device multiplies in bfloat16 by itself."""
    if device == "cuda":
        return torch.cuda.get_device_capability()[0] >= 8  # noqa: PLR2004 - Ampere
    return torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001 - there is no public question


def measure_networks(plan: Plan) -> list[Row]:
    """Compare the networks for each model and number of views; the gate comes first."""
    rows = []
    for model in plan.models:
        checkpoint = ensure_checkpoint(model, plan.folder / "checkpoints")
        upstream = UpstreamSide(checkpoint, plan.device)
        float32 = OurSide(checkpoint, plan.device, "float32")
        half = OurSide(checkpoint, plan.device, "bfloat16") if has_bfloat16(plan.device) else None
        for views in plan.views:
            images = load_network_pictures(SAMPLES, views)
            name = f"{model}, {views} view{'s' if views > 1 else ''}"
            # on a card, TF32 would hide what the gate looks for
            with torch.backends.cudnn.flags(allow_tf32=False):
                errors = _pass_gate(upstream, float32, half, images, name)
            if views == plan.views[0] and plan.device == "cpu":  # slow there, so once
                side = OurSide(checkpoint, plan.device, "float16")
                errors.append(_measure_float16(upstream, side, images, name))
            rows += errors
            tensor = upstream.prepare(images)
            calls: dict[str, Callable[[], object]] = {
                "shipped": partial(upstream.run_as_shipped, images),
                "float32": partial(upstream.run_network, tensor),
                "ours float32": partial(float32.run, images),
            }
            if half is not None:
                calls["bfloat16"] = partial(upstream.run_network, tensor, torch.bfloat16)
                calls["ours bfloat16"] = partial(half.run, images)
            plan.say(f"{name}: {plan.rounds} rounds")
            seconds = take_turns(calls, plan.rounds, plan.device, plan.warm_ups)
            rows += _make_rows(name, seconds, _list_targets(plan.device, views))
    return rows


def _pass_gate(
    upstream: UpstreamSide, float32: OurSide, half: OurSide | None, images: list, name: str
) -> list[Row]:
    """Check that both sides compute the same; return how exact bfloat16 is."""
    tensor = upstream.prepare(images)
    truth = upstream.run_network(tensor)
    check_float32(truth, float32.run(images), name)
    if half is None:
        return []
    autocast, ours = upstream.run_network(tensor, torch.bfloat16), half.run(images)
    check_bfloat16(truth, autocast, ours, name)
    return [_make_error_row(f"{name}: bfloat16", truth, autocast, ours)]


def _measure_float16(upstream: UpstreamSide, ours: OurSide, images: list, name: str) -> Row:
    """Return how exact float16 is; upstream's is what its API does on a processor."""
    truth = upstream.run_network(upstream.prepare(images))
    shipped = upstream.run_as_shipped(images)
    return _make_error_row(f"{name}: float16", truth, shipped, ours.run(images))


def _make_error_row(case: str, truth: Maps, upstream: Maps, ours: Maps) -> Row:
    errors = [measure_nrmse(maps.depth, truth.depth) for maps in (upstream, ours)]
    return Row(GROUP_ERROR, case, *(f"{error:.3%}" for error in errors))


def _list_targets(device: str, views: int) -> dict[str, float]:
    """Return the targets of the processor; those of graphics cards are not set."""
    if device != "cpu":
        return {}
    if views < _MANY_VIEWS:
        return {_SHIPPED: 3.3, _FLOAT32: 1.3, _BFLOAT16_SHIPPED: 4.5}
    return {_FLOAT32: 1.2, _BFLOAT16_SHIPPED: 3.5}


def _make_rows(
    name: str, seconds: dict[str, tuple[float, ...]], targets: dict[str, float]
) -> list[Row]:
    pairs = [
        (_SHIPPED, "shipped", "ours float32"),
        (_FLOAT32, "float32", "ours float32"),
        (_BFLOAT16_SHIPPED, "shipped", "ours bfloat16"),
        (_BFLOAT16, "bfloat16", "ours bfloat16"),
    ]
    return [
        make_time_row(GROUP, f"{name}: {what}", seconds[a], seconds[b], targets.get(what))
        for what, a, b in pairs
        if a in seconds and b in seconds
    ]


def make_time_row(
    group: str,
    case: str,
    upstream_s: tuple[float, ...],
    ours_s: tuple[float, ...],
    target: float | None = None,
) -> Row:
    """Return the line of a comparison; the seconds shown are the smallest of the rounds."""
    comparison = Comparison(upstream_s, ours_s)
    return Row(
        group,
        case,
        format_seconds(min(upstream_s)),
        format_seconds(min(ours_s)),
        comparison.ratio,
        (comparison.ratios[0], comparison.ratios[-1]),
        target,
    )


def measure_memory(plan: Plan) -> list[Row]:
    """Compare the peak memory of loading and running, one process each."""
    if plan.device == "cuda":
        return _measure_card_memory(plan)
    few, many = plan.views[0], plan.views[-1]
    rows = []
    for model in plan.models:
        checkpoint = ensure_checkpoint(model, plan.folder / "checkpoints")
        plan.say(f"{model}: memory")
        peaks = {
            views: (probe("upstream", checkpoint, views), probe("ours", checkpoint, views))
            for views in (few, many)
        }
        theirs, ours = peaks[few]
        rows.append(
            _make_memory_row(
                f"{model}, {few} view: load and run, weights included",
                theirs.peak_bytes,
                ours.peak_bytes,
                0.45,
            )
        )
        if many > few:
            slopes = [
                (more.run_peak_bytes - less.run_peak_bytes) / (many - few)
                for less, more in zip(peaks[few], peaks[many], strict=True)
            ]
            case = f"{model}: each further view (from {few} and {many} views)"
            rows.append(_make_memory_row(case, slopes[0], slopes[1], 0.35))
    return rows


def _measure_card_memory(plan: Plan) -> list[Row]:
    """Compare the peaks that torch's allocator saw on the graphics card."""
    rows = []
    for model in plan.models:
        checkpoint = ensure_checkpoint(model, plan.folder / "checkpoints")
        peaks = [
            _read_card_peaks(
                lambda place=checkpoint: UpstreamSide(place, "cuda").run_as_shipped, plan
            ),
            _read_card_peaks(lambda place=checkpoint: OurSide(place, "cuda").run, plan),
        ]
        few, many = plan.views[0], plan.views[-1]
        case = f"{model}, {few} view: weights included"
        rows.append(_make_memory_row(case, peaks[0][few], peaks[1][few], 0.45))
        if many > few:
            slopes = [(p[many] - p[few]) / (many - few) for p in peaks]
            case = f"{model}: each further view (from {few} and {many} views)"
            rows.append(_make_memory_row(case, slopes[0], slopes[1], 0.35))
    return rows


def _read_card_peaks(load: Callable[[], Callable[[list], object]], plan: Plan) -> dict[int, int]:
    """Load one side, run it, let it go; return the peak in bytes per number of views."""
    gc.collect()
    base = torch.cuda.memory_allocated()
    run = load()
    peaks = {}
    for views in plan.views:
        images = load_network_pictures(SAMPLES, views)
        torch.cuda.reset_peak_memory_stats()
        run(images)
        peaks[views] = torch.cuda.max_memory_allocated() - base
    return peaks


def _make_memory_row(case: str, upstream: float, ours: float, target: float) -> Row:
    return Row(
        GROUP_MEMORY,
        case,
        format_bytes(upstream),
        format_bytes(ours),
        ours / upstream,
        target=target,
        is_share=True,
    )
