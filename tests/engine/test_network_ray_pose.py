# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras from rays of known cameras.

Runs in the engine's environment.
"""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.inference import ray_pose
from da3_blender.inference.ray_pose import estimate_cameras_from_rays, make_grid_points

FOCAL, CENTRE, POSITION = (1.2, 1.6), (0.1, -0.07), (0.5, -1.0, 2.0)


def make_rays(centre=(0.0, 0.0), rows=24, columns=40):
    angle = 0.3
    cos, sin = math.cos(angle), math.sin(angle)
    rotation = torch.tensor([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], dtype=torch.float64)
    points = make_grid_points(rows, columns, torch.device("cpu")).double()
    plane = (points - torch.tensor(centre)) / torch.tensor(FOCAL, dtype=torch.float64)
    local = torch.cat((plane, torch.ones(len(plane), 1, dtype=torch.float64)), dim=-1)
    origin = torch.tensor(POSITION, dtype=torch.float64).expand(len(plane), 3)
    rays = torch.cat((local @ rotation.T, origin), dim=-1).reshape(1, rows, columns, 6)
    return rays.float(), rotation


@pytest.mark.parametrize("factorisation", ["ql", "qr"])
def test_centred_camera_is_exact(factorisation):
    rays, rotation = make_rays()
    cameras = estimate_cameras_from_rays(rays, torch.ones(1, 24, 40), factorisation)
    torch.testing.assert_close(cameras.c2w[0, :3, :3], rotation, atol=1e-5, rtol=0)
    assert cameras.focal[0].tolist() == pytest.approx(FOCAL, abs=1e-5)
    assert cameras.c2w[0, :3, 3].tolist() == pytest.approx(POSITION, abs=1e-5)
    K = cameras.build_intrinsics((28, 70))[0]
    assert K[0].tolist() == pytest.approx([1.2 * 35, 0, 35], abs=1e-3)
    assert K[1].tolist() == pytest.approx([0, 1.6 * 14, 14], abs=1e-3)


def test_only_qr_is_right_off_centre():
    rays, rotation = make_rays(CENTRE)
    right = estimate_cameras_from_rays(rays, torch.ones(1, 24, 40), "qr")
    assert (right.centre[0] - 1).tolist() == pytest.approx(CENTRE, abs=1e-5)
    torch.testing.assert_close(right.c2w[0, :3, :3], rotation, atol=1e-5, rtol=0)
    released = estimate_cameras_from_rays(rays, torch.ones(1, 24, 40), "ql")
    assert (released.c2w[0, :3, :3] - rotation).abs().max() > 1e-2


def test_outliers_of_low_confidence_do_no_harm():
    rays, rotation = make_rays()
    confidence = torch.ones(1, 24, 40)
    confidence[:, ::4] = 0.2
    rays[:, ::4, :, 0] += 3.0
    cameras = estimate_cameras_from_rays(rays, confidence)
    torch.testing.assert_close(cameras.c2w[0, :3, :3], rotation, atol=1e-4, rtol=0)


def test_many_inliers_are_thinned_out_the_same_way_twice(monkeypatch):
    monkeypatch.setattr(ray_pose, "_MOST_INLIERS", 100)
    rays, _ = make_rays()
    rays = rays + 0.01 * torch.randn(rays.shape, generator=torch.Generator().manual_seed(5))
    runs = [
        estimate_cameras_from_rays(
            rays, torch.ones(1, 24, 40), generator=torch.Generator().manual_seed(seed)
        )
        for seed in (0, 0, 1)
    ]
    assert torch.equal(runs[0].c2w, runs[1].c2w)
    assert not torch.equal(runs[0].c2w, runs[2].c2w)


def test_wrong_input_is_refused():
    rays, _ = make_rays()
    with pytest.raises(EngineError) as error:
        estimate_cameras_from_rays(rays, torch.ones(1, 24, 40), "lu")
    assert error.value.code is ErrorCode.SETTINGS_INVALID
    rays[0, 0, 0, 0] = math.nan
    with pytest.raises(EngineError) as error:
        estimate_cameras_from_rays(rays, torch.ones(1, 24, 40))
    assert error.value.code is ErrorCode.CAMERAS_NOT_FOUND
    nothing = torch.zeros(1, 24, 40, 6)  # no ray leaves the image plane
    with pytest.raises(EngineError) as error:
        estimate_cameras_from_rays(nothing, torch.ones(1, 24, 40))
    assert error.value.code is ErrorCode.CAMERAS_NOT_FOUND
