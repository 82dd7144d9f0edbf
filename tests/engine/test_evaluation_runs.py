# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole evaluations, with estimators that know the truth, and COLMAP's part in them."""

from __future__ import annotations

import csv
import dataclasses
import json

import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy is not installed")

from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.errors import CancelledError, EngineError, ErrorCode
from da3_blender.contract.progress import Progress
from da3_blender.evaluation.constant_guess import CameraTruth, guess_cameras
from da3_blender.evaluation.evaluate import SceneScores, average, evaluate_scenes
from da3_blender.evaluation.modes import MODES
from da3_blender.evaluation.report import flatten, format_csv, format_table, write_report
from da3_blender.evaluation.scene import Scene
from da3_blender.evaluation.scene_facts import SceneFacts
from tests.engine.truth import (
    ELSEWHERE,
    Oracle,
    make_lenses,
    make_scene,
    make_surface,
    make_w2c,
    turn,
)

FACTS = SceneFacts(threshold=0.05, thinning_cell=0.03)


class Listener:
    def __init__(self, cancel_at=None):
        self.shares, self.notes, self.asked = [], [], 0
        self.progress = Progress(
            lambda _stage, share, _detail, _left: self.shares.append(share),
            lambda: self.ask(cancel_at),
            self.notes.append,
        )

    def ask(self, cancel_at):
        self.asked += 1
        return cancel_at is not None and self.asked >= cancel_at


def evaluate(scenes, modes=tuple(MODES), unposed=None, posed=None):
    listener = Listener()
    oracles = (unposed or Oracle(ELSEWHERE), posed or Oracle())
    return evaluate_scenes(scenes, oracles, modes, listener.progress, len(scenes)), listener


def test_an_oracle_is_perfect_in_every_mode():
    results, listener = evaluate([make_scene(8, facts=FACTS), make_scene(5, "other", facts=FACTS)])
    assert [result.failure for result in results] == ["", ""]
    for result in results:
        scores = flatten(result.scores)
        assert scores["pose.auc03"] == scores["pose.usual.auc03"] == 1
        assert scores["pose.ate_percent"] == pytest.approx(0, abs=1e-6)
        assert scores["pose.focal_percent"] == pytest.approx(0, abs=1e-9)
        assert scores["depth.median.sequence.abs_rel"] == pytest.approx(0, abs=1e-6)
        assert scores["depth_posed.none.sequence.abs_rel"] == pytest.approx(0, abs=1e-6)
        assert scores["temporal.difference"] < 0.01
        assert scores["recon_unposed.f1"] > 0.99  # against the fusion of the true depth
        assert scores["recon_posed.f1"] > 0.99
        assert result.guess["pose"]["auc30"] < 0.9
        assert result.guess["depth"]["median"]["image"]["abs_rel"] > 0.05
    assert listener.shares == sorted(listener.shares)
    assert listener.shares[-1] > 0.9


def test_scenes_may_be_made_when_their_turn_comes():
    alive = []

    def make(name):
        alive.append(name)
        return make_scene(3, name)

    makers = [lambda: make("a"), lambda: make("b")]
    results, _ = evaluate(makers, ("pose",))
    assert [result.name for result in results] == alive == ["a", "b"]


def test_a_scene_that_fails_does_not_stop_the_others():
    def fail():
        raise EngineError(ErrorCode.INPUT_UNREADABLE, "This scene is broken.", "Mend it.")

    results, listener = evaluate([make_scene(3), fail], ("pose",))
    assert results[0].failure == ""
    assert results[1].failure == "This scene is broken."
    assert listener.notes == ["This scene is broken. Mend it."]
    assert average(results)["pose"]["auc30"] == 1


def test_what_has_no_truth_is_left_out_with_a_note():
    results, _ = evaluate(
        [make_scene(3, depth=None)],
        ("pose", "depth", "recon_unposed"),
        Blind(),
    )
    assert set(results[0].scores) == {"pose"}
    assert results[0].notes == (
        "depth was left out: the scene has no true depth.",
        "recon_unposed was left out: the scene has neither a true surface nor true depth.",
    )


class Blind:
    """Gives depth without reading the truth's."""

    title = "blind"

    def estimate(self, scene, report, is_cancelled):
        known = make_scene(len(scene))
        return Oracle().estimate(known, report, is_cancelled)


class Single(Oracle):
    """Looks at single views: no cameras."""

    def estimate(self, scene, report, is_cancelled):
        found = super().estimate(scene, report, is_cancelled)
        return dataclasses.replace(found, w2c=None, K=None)


def test_a_model_of_single_views_is_measured_by_its_depth():
    results, _ = evaluate([make_scene(3)], ("pose", "depth", "recon_unposed"), Single())
    assert set(results[0].scores) == {"depth"}
    assert any("finds no cameras" in note for note in results[0].notes)


def test_frames_that_were_not_found_count_against_the_estimate():
    results, _ = evaluate(
        [make_scene(8, facts=FACTS)], ("pose", "depth", "recon_unposed"), Oracle(frames=[1, 2, 3])
    )
    scores = flatten(results[0].scores)
    assert scores["pose.found_frames"] == 3
    assert scores["pose.auc30"] == pytest.approx(3 / 28)
    assert scores["depth.covered"] == pytest.approx(3 / 8)
    assert scores["recon_unposed.recall"] < 0.9
    nothing, _ = evaluate(
        [make_scene(8, facts=FACTS)], ("pose", "depth", "recon_unposed"), Oracle(frames=[])
    )
    scores = flatten(nothing[0].scores)
    assert nothing[0].failure == ""
    assert scores["pose.auc30"] == scores["recon_unposed.f1"] == scores["depth.covered"] == 0


@pytest.mark.parametrize(
    ("modes", "posed", "words"),
    [(("pose", "beauty"), Oracle(), "'beauty'"), (("recon_posed",), None, "recon_posed")],
)
def test_modes_that_nobody_can_serve(modes, posed, words):
    with pytest.raises(EngineError, match=words):
        evaluate_scenes([], (Oracle(), posed), modes, Listener().progress, 0)


def test_cancelling_is_an_answer():
    listener = Listener(cancel_at=8)
    with pytest.raises(CancelledError):
        evaluate_scenes([make_scene(3)] * 5, (Oracle(), None), ("pose",), listener.progress, 5)


def make_walk(direction, degrees, count=5):
    """Cameras that repeat one motion."""
    step = np.eye(4)
    step[:3, :3], step[:3, 3] = turn("y", degrees), direction
    w2c = [np.eye(4)]
    for _ in range(count - 1):
        w2c.append(step @ w2c[-1])
    return CameraTruth(np.array(w2c), make_lenses(count), ((80, 60),) * count)


def test_the_guess_is_perfect_where_all_scenes_move_alike():
    truths = [make_walk([0.5, 0, 0.1], 4), make_walk([1.0, 0, 0.2], 4), make_walk([2, 0, 0.4], 4)]
    guess = guess_cameras(truths)
    for truth in truths:
        placed = guess.place(5)
        for i in range(1, 5):
            expected = truth.w2c[i, :3, :3]
            assert placed[i, :3, :3] == pytest.approx(expected, abs=1e-9)
    assert abs(guess.step[:3, 3] @ [0.5, 0, 0.1]) == pytest.approx(np.linalg.norm([0.5, 0, 0.1]))
    assert guess.focal == pytest.approx(0.9)


def test_motions_to_both_sides_do_not_cancel():
    truths = [make_walk([1.0, 0, 0], 0), make_walk([-1.0, 0, 0], 0)]
    assert abs(guess_cameras(truths).step[0, 3]) == pytest.approx(1)


def test_cameras_that_do_not_move_can_be_guessed():
    still = CameraTruth(np.tile(np.eye(4), (1, 1, 1)), make_lenses(1), ((80, 60),))
    assert np.isfinite(guess_cameras([still]).step).all()


RESULTS = [
    SceneScores(
        "a/b", ("1", "2"), {"pose": {"auc03": 0.5, "auc30": 0.7}}, {"pose": {"auc30": 0.1}}
    ),
    SceneScores("a b", ("1",), {"pose": {"auc03": float("nan"), "auc30": 0.9}}),
    SceneScores("bad", (), failure="It is broken."),
]


def test_means_leave_out_what_is_not_there():
    means = average(RESULTS)["pose"]
    assert means["auc03"] == 0.5
    assert means["auc30"] == pytest.approx(0.8)


def test_the_table_has_the_guess_beside_the_score():
    table = format_table(RESULTS)
    lines = table.splitlines()
    assert "AUC@3" in lines[0]
    assert "70.0 (10.0)" in lines[1]
    assert "failed" in lines[3]
    assert "80.0 (10.0)" in table.splitlines()[-2]
    assert "best constant guess" in lines[-1]
    assert "a/b" not in format_table(RESULTS, with_scenes=False)


def test_files_of_a_report(tmp_path):
    paths = write_report(RESULTS, {"model": "x"}, tmp_path / "out")
    assert all(path.is_file() for path in paths)
    names = sorted(path.name for path in (tmp_path / "out" / "scenes").iterdir())
    assert names == ["a_b-2.json", "a_b.json", "bad.json"]
    second = json.loads((tmp_path / "out" / "scenes" / "a_b-2.json").read_text())
    assert second["scores"]["pose"]["auc03"] is None
    mean = json.loads((tmp_path / "out" / "mean.json").read_text())
    assert mean["mean"]["pose"]["auc30"] == pytest.approx(0.8)
    assert mean["failed"] == ["bad"]
    assert mean["settings"] == {"model": "x"}
    rows = list(csv.DictReader((tmp_path / "out" / "scores.csv").open()))
    assert [row["scene"] for row in rows] == ["a/b", "a b", "bad", "mean"]
    assert rows[1]["pose.auc03"] == ""
    assert float(rows[3]["pose.auc30"]) == pytest.approx(0.8)
    assert float(rows[0]["guess.pose.auc30"]) == 0.1
    assert format_csv(RESULTS).count("\n") == 5


def test_infinite_distances_stay_valid_json(tmp_path):
    write_report([SceneScores("x", ("1",), {"recon_unposed": {"overall": np.inf}})], {}, tmp_path)
    text = (tmp_path / "mean.json").read_text()
    assert json.loads(text)["mean"]["recon_unposed"]["overall"] is None


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    pytest.importorskip("torch", reason="torch is not installed")
    from tests.engine.test_pipeline_runs import make_checkpoint

    return make_checkpoint(tmp_path_factory.mktemp("weights") / "model.safetensors")


def test_memory_and_colmap_agree_on_scenes():
    """COLMAP may look at a scene in memory; these walls have too few features, which is told."""
    pytest.importorskip("pycolmap", reason="pycolmap is not installed")
    from da3_blender.contract.settings import RunSettings
    from da3_blender.evaluation.colmap_estimator import ColmapEstimator

    estimator = ColmapEstimator(RunSettings((".",), "out"), None)
    results, _ = evaluate([make_scene(3)], ("pose", "depth"), estimator)
    assert results[0].failure == ""
    assert results[0].scores["pose"]["auc30"] == 0
    assert results[0].scores["pose"]["found_frames"] == 0
    assert results[0].notes
    assert "there is no estimated depth" in " ".join(results[0].notes)


def make_solution(scene, lost):
    """What COLMAP would say if it were perfect but for one view."""
    from da3_blender.solve import Lens, SparseSolution

    count, (width, height) = len(scene), scene.sizes[0]
    registered = np.arange(count) != lost
    focal = scene.K[0, 0, 0]
    lens = Lens("SIMPLE_PINHOLE", (focal, width / 2, height / 2), width, height)
    points = make_surface(500)
    found = ELSEWHERE.apply_to_w2c(scene.w2c)
    found[lost] = np.nan
    view, point = np.nonzero(np.tile(registered[:, None], (1, len(points))))
    return SparseSolution(
        registered=registered,
        w2c=found,
        lens_of_view=np.where(registered, 0, -1).astype(np.int32),
        lenses=(lens,),
        points=ELSEWHERE.apply_to_points(points),
        colours=np.zeros((len(points), 3), np.uint8),
        track_length=np.full(len(points), count - 1, np.int32),
        point_error_px=np.zeros(len(points)),
        view_residual_px=np.where(registered, 0.1, np.nan),
        mean_error_px=0.1,
        observation_view=view.astype(np.int32),
        observation_point=point.astype(np.int32),
        observation_px=np.zeros((len(view), 2)),
    )


def test_colmap_and_a_network_together(checkpoint, monkeypatch):
    from da3_blender.contract.settings import RunSettings
    from da3_blender.evaluation import colmap_estimator
    from da3_blender.inference.loading import load_predictor

    scene = make_scene(5, facts=FACTS)
    solution = make_solution(scene, lost=2)
    monkeypatch.setattr(colmap_estimator, "solve_cameras", lambda *_: solution)
    settings = RunSettings((".",), "out", process_resolution=56, device="cpu")
    predictor = load_predictor(checkpoint, "cpu")
    estimator = colmap_estimator.ColmapEstimator(settings, predictor)
    results, _ = evaluate([scene], ("pose", "depth", "recon_unposed"), estimator)
    scores = flatten(results[0].scores)
    assert results[0].failure == ""
    assert scores["pose.found_frames"] == 4
    assert scores["pose.auc03"] == pytest.approx(6 / 10)
    assert scores["pose.focal_percent"] == pytest.approx(0)
    assert scores["depth.covered"] == pytest.approx(4 / 5)
    # the depth is fitted to COLMAP's points, so the similarity of the cameras sizes it right
    truth = np.median([np.median(scene.depth[i]) for i in (0, 1, 3, 4)])
    assert scores["recon_unposed.accuracy"] < truth
    assert results[0].cost["unposed"]["estimator"] == "COLMAP + da3-small"


def test_a_scene_is_not_changed_by_being_measured():
    scene = make_scene(3)
    before = [np.array(depth) for depth in scene.depth], scene.w2c.copy()
    evaluate([scene])
    assert all((a == b).all() for a, b in zip(before[0], scene.depth, strict=True))
    assert (before[1] == scene.w2c).all()
    assert isinstance(scene, Scene)
    assert invert_rigid(scene.w2c).shape == make_w2c(3).shape
