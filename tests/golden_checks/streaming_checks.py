# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of long sequences: chunks, seams, loops, graphs.

Runs in the engine's environment. These files carry no description: what is in them tells what they
are. Errors are held to the limits in the files; what the release computes is compared too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from da3_blender.contract.rotations import measure_angle
from da3_blender.contract.similarity import Sim3
from da3_blender.streaming.chunks import Chunk, assign_owners_late, make_chunks, place_window
from da3_blender.streaming.loops import find_loops, find_loops_like_release
from da3_blender.streaming.overlap import (
    SharedFrames,
    align_overlap,
    lift_pixels,
    measure_depth_scale,
)
from da3_blender.streaming.point_alignment import align_points, align_points_like_release
from da3_blender.streaming.pose_graph import Loops, solve_graph, solve_graph_like_release
from da3_blender.streaming.sim3_batch import (
    Sim3Batch,
    accumulate,
    compose,
    exponential,
    invert,
    logarithm,
    stack_sim3,
)

from .fixture import Comparison, Fixture, FixtureError, NetworkCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_LIMIT = 1e-6
_GRAPH_LIMIT = 1e-4
_LEAST_GAP, _RADIUS, _MOST = 30, 10, 40


def check_streaming(fixture: Fixture, _cache: NetworkCache) -> Comparison:
    """Compare one part of the work on long sequences with its recorded truth."""
    for name, check in _CHECKS.items():
        if name in fixture.arrays:
            return check(fixture)
    msg = f"no part of streaming is known for the arrays {', '.join(sorted(fixture.arrays))}"
    raise FixtureError(msg)


def _same(result: Comparison, name: str, ours: NDArray, theirs: NDArray) -> None:
    result.close(name, ours, np.asarray(theirs), 0.5, is_absolute=True)  # whole numbers


def _get_sim3(fixture: Fixture, name: str) -> Sim3:
    s, rotation, translation = (fixture.need(f"{name}_{part}") for part in "sRt")
    return Sim3(float(s), rotation, translation)


def _get_batch(fixture: Fixture, name: str) -> Sim3Batch:
    return Sim3Batch(*(fixture.need(f"{name}_{part}") for part in "sRt"))


def _hold(result: Comparison, fixture: Fixture, errors: NDArray[np.float64]) -> None:
    """Hold errors to the limits in the file."""
    names, limits = fixture.need("err_names"), fixture.need("max_err")
    for name, error, limit in zip(names, errors, limits, strict=True):
        result.close(str(name), np.array(error), np.array(0.0), float(limit), is_absolute=True)


def _measure(sim: Sim3, true: Sim3, points: NDArray[np.float64]) -> NDArray[np.float64]:
    ours, theirs = sim.apply_to_points(points), true.apply_to_points(points)
    extent = np.linalg.norm(np.subtract(*np.percentile(theirs, (95, 5), axis=0)))
    return np.array(
        [
            np.degrees(measure_angle(sim.rotation, true.rotation)),
            abs(np.log(sim.scale / true.scale)),
            np.sqrt(((ours - theirs) ** 2).sum(1).mean()) / extent,
        ]
    )


def _check_alignment(fixture: Fixture) -> Comparison:
    result = Comparison()
    pairs = [fixture.need(name) for name in ("src", "tgt", "weights")]
    keeps_scale = str(fixture.need("mode")) == "se3"
    true, base = _get_sim3(fixture, "gt"), _get_sim3(fixture, "base")
    right = pairs[0][~fixture.need("is_outlier")].astype(np.float64)
    found = align_points(*pairs, keeps_scale=keeps_scale).target_from_source
    _hold(result, fixture, _measure(found, true, right))
    theirs = align_points_like_release(*pairs, keeps_scale=keeps_scale)
    difference = _measure(theirs, base, right)
    result.close("release", difference, np.zeros(3), _LIMIT, is_absolute=True)
    return result


def _check_overlap(fixture: Fixture) -> Comparison:
    result = Comparison()
    chunks = []
    for number in "12":
        rows = fixture.need(f"w2c{number}")
        w2c = np.tile(np.eye(4), (len(rows), 1, 1))
        w2c[:, :3] = rows
        depth, confidence = fixture.need(f"depth{number}"), fixture.need(f"conf{number}")
        K = fixture.need(f"K{number}").astype(np.float64)
        chunks.append(SharedFrames(depth, confidence, w2c, K))
    seam = align_overlap(*chunks)
    if seam is None:
        msg = "no similarity was found"
        raise FixtureError(msg)
    points = lift_pixels(chunks[1], np.flatnonzero(chunks[1].depth > 0))
    errors = _measure(seam.first_from_second, _get_sim3(fixture, "gt"), points)
    _hold(result, fixture, errors)
    return result


def _check_depth_scale(fixture: Fixture) -> Comparison:
    result = Comparison()
    arrays = (fixture.need(name) for name in ("depth1", "depth2", "conf1", "conf2"))
    scale = measure_depth_scale(*arrays)
    error = abs(np.log((scale or np.inf) / float(fixture.need("gt_scale"))))
    limit = float(fixture.need("max_abs_log_err"))
    result.close("log scale", np.array(error), np.array(0.0), limit, is_absolute=True)
    return result


def _check_accumulation(fixture: Fixture) -> Comparison:
    result = Comparison()
    limit = float(fixture.need("atol"))
    nodes = accumulate(_get_batch(fixture, "rel"))
    tangents = fixture.need("xi")
    moved = exponential(tangents)
    loop_a, loop_b = (stack_sim3([_get_sim3(fixture, name)]) for name in ("loop_a", "loop_b"))
    b_from_a = compose(loop_b, invert(loop_a))
    for name, ours in (
        ("abs", nodes),
        ("exp", moved),
        ("a_to_b", Sim3Batch(*(part[0] for part in b_from_a))),
    ):
        for part, values in zip("sRt", ours, strict=True):
            theirs = fixture.need(f"expect_{name}_{part}")
            result.close(f"{name} {part}", np.asarray(values), theirs, limit, is_absolute=True)
    result.close("log", logarithm(moved), tangents, limit, is_absolute=True)
    world = nodes.get(int(fixture.need("chunk")))
    points = world.apply_to_points(fixture.need("points"))
    result.close("points", points, fixture.need("expect_points"), limit, is_absolute=True)
    w2c = world.apply_to_w2c(np.linalg.inv(fixture.need("c2w")))
    c2w = np.linalg.inv(w2c)
    result.close("poses", c2w, fixture.need("expect_c2w"), limit, is_absolute=True)
    depth = world.scale * fixture.need("depth")
    result.close("depth", depth, fixture.need("expect_depth"), limit, is_absolute=True)
    return result


def _check_chunks(fixture: Fixture) -> Comparison:
    result = Comparison()
    rows, offsets = fixture.need("expect_chunks"), fixture.need("owner_offset")
    owners = np.split(fixture.need("expect_owner"), offsets[1:])
    for number, case in enumerate(fixture.need("cases")):
        chunks = make_chunks(*(int(value) for value in case))
        theirs = rows[rows[:, 0] == number][:, 2:]
        _same(result, f"chunks of {case.tolist()}", np.array(chunks), theirs)
        _same(
            result,
            f"owners of {case.tolist()}",
            np.array(assign_owners_late(chunks)),
            owners[number],
        )
    windows = fixture.need("expect_windows")
    ours = [
        place_window(Chunk(int(begin), int(end)), int(frame), 2 * int(half))
        for begin, end, frame, half, _, _ in windows
    ]
    _same(result, "windows", np.array(ours), windows[:, 4:])
    return result


def _check_candidates(fixture: Fixture) -> Comparison:
    result = Comparison()
    descriptors = fixture.need("descriptors")
    names = ("threshold", "top_k", "min_gap", "nms_radius")
    options = [fixture.need(name).item() for name in names]
    theirs = sorted(c[:2] for c in find_loops_like_release(descriptors, *options))
    _same(
        result,
        "release",
        np.array(theirs),
        np.array(sorted(map(tuple, fixture.need("expect_kept")))),
    )
    ours = find_loops(descriptors, _LEAST_GAP, _RADIUS, _MOST)
    segments, slack = fixture.need("truth_segments"), 6

    def is_right(pair: tuple, segment: NDArray[np.int64]) -> bool:
        a, b, n = segment.tolist()
        is_inside = a - slack <= pair[0] <= a + n + slack
        return is_inside and abs((pair[1] - pair[0]) - (b - a)) <= slack

    right = [any(is_right(pair, segment) for segment in segments) for pair in ours]
    found = [any(is_right(pair, segment) for pair in ours) for segment in segments]
    for name, share in (("precision", right), ("recall", found)):
        least = float(fixture.need(f"min_{name}"))
        missing = max(0.0, least - float(np.mean(share)))
        result.close(name, np.array(missing), np.array(0.0), _LIMIT, is_absolute=True)
    return result


def _check_graph(fixture: Fixture) -> Comparison:
    result = Comparison()
    steps = _get_batch(fixture, "seq")
    loops = Loops(fixture.need("loop_ij").astype(np.intp), _get_batch(fixture, "loop"))
    true = _get_batch(fixture, "gt")
    _hold(result, fixture, _measure_nodes(solve_graph(steps, loops).nodes, true))
    if fixture.need("loop_is_true").all():  # among false loops the release ends anywhere
        errors = _measure_nodes(solve_graph_like_release(steps, loops).nodes, true)
        theirs = fixture.need("base_err")
        result.close("release", errors, theirs, _GRAPH_LIMIT, is_absolute=True)
    return result


def _measure_nodes(ours: Sim3Batch, true: Sim3Batch) -> NDArray[np.float64]:
    path = np.linalg.norm(np.diff(true.translations, axis=0), axis=1).sum()
    shift = ((ours.translations - true.translations) ** 2).sum(1)
    angle = measure_angle(ours.rotations, true.rotations) ** 2
    log_scale = np.log(ours.scales / true.scales) ** 2
    return np.array(
        [
            100 * np.sqrt(shift.mean()) / path,
            np.degrees(np.sqrt(angle.mean())),
            np.sqrt(log_scale.mean()),
        ]
    )


_CHECKS: dict[str, Callable[[Fixture], Comparison]] = {
    "src": _check_alignment,
    "w2c1": _check_overlap,
    "gt_scale": _check_depth_scale,
    "rel_s": _check_accumulation,
    "cases": _check_chunks,
    "descriptors": _check_candidates,
    "seq_s": _check_graph,
}
