# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the measures: pairs of cameras, trajectories, depth, clouds, the fusion of depth.

Runs in the engine's environment. These files carry no description: what is in them tells what they
are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.rotations import measure_angle
from da3_blender.contract.similarity import fit_sim3
from da3_blender.evaluation.clouds import compare_clouds, thin_points
from da3_blender.evaluation.depth_error import ALIGNMENTS, measure_depth
from da3_blender.evaluation.dtu import DtuLimits, Observation, compare_dtu_style, thin_greedily
from da3_blender.evaluation.relative_pose import THRESHOLDS_DEG, measure_auc, measure_pairs
from da3_blender.evaluation.trajectory import align_robustly
from da3_blender.evaluation.tsdf import TsdfVolume

from .fixture import Comparison, Fixture, FixtureError, NetworkCache

if TYPE_CHECKING:
    from collections.abc import Callable

_LIMIT = 1e-6
_CLOUD_PARTS = ("acc", "comp", "overall", "precision", "recall", "fscore")


def check_benchmark(fixture: Fixture, _cache: NetworkCache) -> Comparison:
    """Compare one measure with its recorded value."""
    for name, check in _CHECKS.items():
        if name in fixture.arrays:
            return check(fixture)
    msg = f"no measure is known for the arrays {', '.join(sorted(fixture.arrays))}"
    raise FixtureError(msg)


def _limit(fixture: Fixture) -> float:
    return float(fixture.arrays.get("rtol", _LIMIT))


def _check_pairs(fixture: Fixture) -> Comparison:
    result = Comparison()
    pairs = measure_pairs(fixture.need("w2c_pred"), fixture.need("w2c_gt"))
    limit = float(fixture.arrays.get("atol", _LIMIT))
    for part in ("rotation", "translation"):
        theirs = fixture.need(f"expect_pair_{part}_deg")
        result.close(part, getattr(pairs, part), theirs, limit, is_absolute=True)
    limit = float(fixture.arrays.get("atol_auc", _LIMIT))
    for threshold in THRESHOLDS_DEG:
        name = f"auc{threshold:02d}"
        ours = measure_auc(pairs.worst, threshold)
        result.close(name, ours, fixture.need(f"expect_{name}"), limit, is_absolute=True)
    return result


def _check_trajectory(fixture: Fixture) -> Comparison:
    result = Comparison()
    found, true = fixture.need("centres_est"), fixture.need("centres_gt")
    fit = fit_sim3(found, true)
    offsets = np.linalg.norm(fit.apply_to_points(found) - true, axis=1)
    ours = {
        "scale": fit.scale,
        "R": fit.rotation,
        "t": fit.translation,
        "ate_rmse": np.sqrt((offsets**2).mean()),
    }
    for name, value in ours.items():
        result.close(name, value, fixture.need(f"expect_{name}"), _limit(fixture))
    return result


def _check_robust_fit(fixture: Fixture) -> Comparison:
    result = Comparison()
    found, true = fixture.need("w2c_est"), fixture.need("w2c_gt")
    fit = align_robustly(found, true)
    good = ~fixture.need("bad_camera")
    centres = fit.apply_to_points(invert_rigid(found)[good, :3, 3])
    offsets = np.linalg.norm(centres - invert_rigid(true)[good, :3, 3], axis=1)
    errors = (
        float(np.degrees(measure_angle(fit.rotation, fixture.need("gt_R")))),
        abs(float(np.log(fit.scale / fixture.need("gt_s")))),
        float(np.sqrt((offsets**2).mean())),
    )
    for name, error, most in zip(
        fixture.need("err_names"), errors, fixture.need("max_err"), strict=True
    ):
        result.close(str(name), error, 0.0, float(most), is_absolute=True)
    return result


def _check_clouds(fixture: Fixture) -> Comparison:
    result = Comparison()
    voxel = float(fixture.need("voxel"))
    points, true = (thin_points(fixture.need(name), voxel) for name in ("pred", "gt"))
    for name, cloud in (("n_pred", points), ("n_gt", true)):
        if f"expect_{name}" in fixture.arrays:
            result.same(name, len(cloud), [int(fixture.arrays[f"expect_{name}"])])
    errors = compare_clouds(points, true, float(fixture.need("threshold")))
    for name, ours in zip(_CLOUD_PARTS, errors, strict=True):
        theirs = float(fixture.need(f"expect_{name}"))
        if np.isfinite(theirs):
            result.close(name, ours, theirs, _limit(fixture))
        else:
            result.same(name, ours, [theirs])
    return result


def _check_dtu(fixture: Fixture) -> Comparison:
    result = Comparison()
    points = fixture.need("pred")
    limits = DtuLimits(*(float(fixture.need(name)) for name in ("radius", "patch", "cap")))
    observation = Observation(
        fixture.need("BB"),
        float(fixture.need("res")),
        fixture.need("obs_mask") > 0,
        fixture.need("plane"),
    )
    kept = thin_greedily(points, limits.radius)
    result.same("kept", kept.tolist(), [fixture.need("expect_kept").tolist()])
    errors = compare_dtu_style(points, fixture.need("gt"), observation, limits)
    for name, ours in errors._asdict().items():
        result.close(name, ours, fixture.need(f"expect_{name}"), _limit(fixture))
    return result


def _check_depth(fixture: Fixture) -> Comparison:
    result = Comparison()
    mask = fixture.need("mask")
    found, true = fixture.need("pred")[mask], fixture.need("gt")[mask]
    for alignment in ALIGNMENTS:
        ours = measure_depth(found, true, alignment)
        result.close(alignment, ours, fixture.need(f"expect_{alignment}"), _limit(fixture))
    return result


def _check_fusion(fixture: Fixture) -> Comparison:
    result = Comparison()
    volume = TsdfVolume(float(fixture.need("tsdf_voxel")), float(fixture.need("tsdf_trunc")))
    # Their K puts the centre of the first pixel at (0, 0): only so do the raw points score what
    # `raw_points_metrics` says.
    K = fixture.need("K") + np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    for depth, w2c in zip(fixture.need("depth"), fixture.need("w2c"), strict=True):
        volume.integrate(depth, K, w2c)
    cell = float(fixture.need("eval_voxel"))
    errors = compare_clouds(
        thin_points(volume.extract_points(), cell),
        thin_points(fixture.need("gt_points"), cell),
        float(fixture.need("threshold")),
    )
    # They are bounds: the distance from a perfect score must be no more than theirs.
    lost = 1 - float(fixture.need("min_fscore"))
    result.close("1 - F", 1 - errors.f1, 0.0, lost, is_absolute=True)
    most = float(fixture.need("max_acc"))
    result.close("accuracy", errors.accuracy, 0.0, most, is_absolute=True)
    result.remarks.append(f"F {errors.f1:.3f}, accuracy {errors.accuracy:.4f}")
    return result


# array that only this kind of fixture has -> check
_CHECKS: dict[str, Callable[[Fixture], Comparison]] = {
    "w2c_pred": _check_pairs,
    "centres_est": _check_trajectory,
    "bad_camera": _check_robust_fit,
    "obs_mask": _check_dtu,
    "tsdf_voxel": _check_fusion,
    "expect_median": _check_depth,
    "expect_acc": _check_clouds,
}
