# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sequences chunk by chunk, with a stand-in for the network whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy is not installed")

from benchmarks.streaming_world import StandIn, make_place
from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.similarity import fit_sim3
from da3_blender.streaming.chunks import assign_owners, make_chunks
from da3_blender.streaming.runner import run_stream
from da3_blender.streaming.store import ChunkStore, RunKey, estimate_disk_bytes
from da3_blender.streaming.stream_settings import StreamSettings, name_chunk

SMALL = StreamSettings(size=20, overlap=10, loop_half=6)
EXACT = {"turn_deg": 0.0, "slip": 0.0, "bend": 0.0, "noise": 1e-4, "outliers": 0.0}


@pytest.fixture(scope="module")
def ring():
    return make_place("ring", 130)


def solve(predictor, folder, settings=SMALL, events=None):
    names = [f"{index:04d}.jpg" for index in range(predictor.place.frames)]
    return run_stream(predictor, names, folder, "stand-in", settings, events)


def measure(w2c, true):
    """Root mean square error of the positions after a similarity, scene units."""
    ours, theirs = invert_rigid(w2c)[:, :3, 3], invert_rigid(true)[:, :3, 3]
    moved = fit_sim3(ours, theirs).apply_to_points(ours)
    return float(np.sqrt(((moved - theirs) ** 2).sum(1).mean()))


@pytest.mark.parametrize("like_release", [False, True])
def test_exact_answers_give_exact_cameras(tmp_path, ring, like_release):
    settings = replace(SMALL, like_release=like_release)
    result = solve(StandIn(ring, **EXACT), tmp_path, settings)
    assert len(result.w2c) == ring.frames
    assert all(seam.inliers > 0.99 for seam in result.seams)
    # depth and confidence are stored in few bits
    assert measure(result.w2c, ring.w2c) < 0.02


def test_loops_hold_the_ends_together(tmp_path, ring):
    wrong = StandIn(ring, seed=2, turn_deg=0.12, slip=0.02)
    open_chain = solve(wrong, tmp_path / "open", replace(SMALL, closes_loops=False))
    closed = solve(wrong, tmp_path / "closed")
    assert closed.loops
    assert closed.loop_weights.max() > 0.5
    assert measure(closed.w2c, ring.w2c) < 0.6 * measure(open_chain.w2c, ring.w2c)


class Killed(Exception):  # noqa: N818 - no error
    pass


class Breaking:
    """A predictor whose process dies."""

    def __init__(self, inner, calls):
        self.inner, self.left, self.place = inner, calls, inner.place

    def predict(self, frames):
        if not self.left:
            raise Killed
        self.left -= 1
        return self.inner.predict(frames)


@pytest.mark.parametrize("calls", [0, 1, 5, 12])
def test_a_run_that_was_killed_goes_on_to_the_identical_result(tmp_path, ring, calls):
    whole = solve(StandIn(ring, seed=3), tmp_path / "whole")
    with pytest.raises(Killed):
        solve(Breaking(StandIn(ring, seed=3), calls), tmp_path / "cut")
    rest = StandIn(ring, seed=3)
    again = solve(rest, tmp_path / "cut")
    assert np.array_equal(again.w2c, whole.w2c)
    assert np.array_equal(again.K, whole.K)
    assert rest.calls == len(list((tmp_path / "whole").glob("*.npz"))) - calls


def test_nothing_is_computed_twice(tmp_path, ring):
    solve(StandIn(ring, seed=3), tmp_path)
    idle = StandIn(ring, seed=3)
    solve(idle, tmp_path)
    assert idle.calls == 0


def test_the_chunks_of_another_run_are_not_taken(tmp_path, ring):
    solve(StandIn(ring), tmp_path)
    with pytest.raises(EngineError) as caught:
        solve(StandIn(ring), tmp_path, replace(SMALL, size=30))
    assert caught.value.code is ErrorCode.INPUT_MISMATCH


def test_a_damaged_chunk_is_named(tmp_path, ring):
    solve(StandIn(ring), tmp_path)
    place = tmp_path / f"{name_chunk(2)}.npz"
    place.write_bytes(place.read_bytes()[:1000])
    with pytest.raises(EngineError, match="chunk_00002") as caught:
        solve(StandIn(ring), tmp_path)
    assert "Remove the file" in caught.value.hint


@pytest.mark.parametrize("frames", [1, 2, 15])
def test_short_sequences_take_the_same_path(tmp_path, ring, frames):
    short = replace(ring, w2c=ring.w2c[:frames])
    result = solve(StandIn(short, **EXACT), tmp_path)
    assert len(result.w2c) == frames
    assert len(result.chunks) == 1
    assert not result.seams


def test_chunks_without_overlap_stay_apart(tmp_path, ring):
    result = solve(StandIn(ring, **EXACT), tmp_path, replace(SMALL, overlap=0, closes_loops=False))
    assert result.seams == [None] * (len(result.chunks) - 1)
    assert np.allclose(result.nodes.scales, 1)


def test_listeners_hear_every_chunk_in_its_place_for_now(tmp_path, ring):
    heard, final = [], []

    class Events:
        def on_chunk(self, number, count, placed):
            heard.append((number, count, placed))

        def on_loop(self, number, count, loop):
            pass

        def on_nodes(self, nodes):
            final.append(nodes)

    result = solve(StandIn(ring, seed=2), tmp_path, events=Events())
    assert [number for number, *_ in heard] == list(range(len(result.chunks)))
    assert heard[0][2].world_from_chunk.scale == 1.0
    assert heard[0][2].seam is None
    assert sum(placed.fresh for *_, placed in heard) == ring.frames
    assert len(final) == 1
    assert np.array_equal(final[0].translations, result.nodes.translations)


def test_owners_change_in_the_middle_of_what_chunks_share():
    chunks = make_chunks(50, 20, 10)
    owners = np.array(assign_owners(chunks))
    assert len(owners) == 50
    assert (np.diff(owners) >= 0).all()
    for number, chunk in enumerate(chunks):
        mine = np.flatnonzero(owners == number)
        assert chunk.begin <= mine[0]
        assert mine[-1] < chunk.end
    assert owners[14] == 0
    assert owners[15] == 1


def test_an_overlap_as_long_as_the_chunk_is_refused():
    with pytest.raises(EngineError, match="overlap"):
        make_chunks(100, 20, 20)


def test_the_disk_is_estimated_beforehand(tmp_path, ring):
    result = solve(StandIn(ring), tmp_path, replace(SMALL, closes_loops=False))
    used = sum(path.stat().st_size for path in tmp_path.glob("chunk_*.npz"))
    said = estimate_disk_bytes(result.chunks, *ring.cast([0]).shape[1:])
    assert 0.5 * used < said < used  # cameras and descriptors weigh much beside such small maps


def test_what_is_stored_comes_back_within_its_steps(tmp_path, ring):
    store = ChunkStore(tmp_path, RunKey(("a",), 20, 10, "x"))
    said = StandIn(ring).predict(range(6))
    store.save("one", said)
    read = store.load("one", slice(2, 5))
    assert np.allclose(read.depth, said.depth[2:5], rtol=1e-3)
    assert np.abs(np.log(read.confidence / said.confidence[2:5])).max() < 0.04
    assert np.array_equal(read.w2c, said.w2c[2:5])
    assert [path.suffix for path in tmp_path.iterdir()].count(".part") == 0
