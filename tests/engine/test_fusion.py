# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fusion by votes in a room whose walls are known: doubled walls, floaters, somebody who walks by.

The room is a box, so the distance of a point to the truth is a formula.
"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from da3_blender.contract.depth_edges import find_depth_edges
from da3_blender.contract.errors import CancelledError, EngineError, ErrorCode
from da3_blender.contract.projection import unproject
from da3_blender.contract.views import View
from da3_blender.media.frame_masks import FrameMasks
from da3_blender.pipeline.fusion import CloudMaker, FusionLimits, fuse_depth
from da3_blender.pipeline.witnesses import MOST_VOTERS, Witnesses

HEIGHT, WIDTH = 72, 96
LOW, HIGH = np.array([-3.0, -1.5, -3.0]), np.array([3.0, 1.5, 4.0])
LIMITS = FusionLimits(0.0, 0.05, 10**6)
WALKER = 0.35  # radius of the ball that rolls by


def make_room(count, *, walker=False):
    """Return exact depth (N, H, W) float32, K and w2c, and where the walker is (N, H, W)."""
    K = np.array([[80.0, 0, WIDTH / 2], [0, 80.0, HEIGHT / 2], [0, 0, 1]])
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(K).T
    depth, w2c = np.zeros((count, HEIGHT, WIDTH), np.float32), np.tile(np.eye(4), (count, 1, 1))
    is_walker = np.zeros(depth.shape, bool)
    for view, at in enumerate(np.linspace(0, 1, count)):
        angle = 0.8 * (at - 0.5)
        turn = np.array(
            [[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]]
        )
        centre = np.array([1.5 * np.sin(3 * at), 0.2 * np.cos(5 * at), -2 + 0.4 * at])
        w2c[view, :3, :3], w2c[view, :3, 3] = turn, -turn @ centre
        ways = rays @ turn  # with 1 along the optical axis
        with np.errstate(divide="ignore"):
            depth[view] = np.maximum((LOW - centre) / ways, (HIGH - centre) / ways).min(-1)
        if walker:
            ball = np.array([2 - 4 * at, 0.3, 1.0])
            a, b = (ways**2).sum(-1), (ways @ (centre - ball))
            root = b**2 - a * (((centre - ball) ** 2).sum() - WALKER**2)
            near = (-b - np.sqrt(np.maximum(root, 0))) / a
            is_walker[view] = (root > 0) & (near > 0)
            depth[view] = np.where(is_walker[view], near, depth[view])
    return depth, (np.tile(K, (count, 1, 1)), w2c), is_walker


def disturb(depth, bend=0.02, noise=0.003):
    """Return depth as a network gives it: smoothly wrong in another way each time, and noisy."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:HEIGHT, :WIDTH] / WIDTH
    waves = rng.uniform(0, 6, (len(depth), 2))
    smooth = np.stack([np.sin(6 * x + a) + np.cos(5 * y + b) for a, b in waves])
    return (depth * np.exp(bend * smooth + noise * rng.normal(size=depth.shape))).astype(np.float32)


def measure_distance(positions):
    """Return (M,), distances to the nearest wall."""
    return np.minimum(np.abs(positions - LOW), np.abs(HIGH - positions)).min(1)


def fuse(depth, cameras, limits=LIMITS, confidence=None):
    images = np.zeros((*depth.shape, 3), np.uint8)
    certain = np.ones_like(depth) if confidence is None else confidence
    return fuse_depth(depth, certain, images, cameras, limits[:3], limits.least_views)


@pytest.mark.parametrize(("count", "left"), [(8, 0.65), (40, 0.5)])
def test_walls_that_were_doubled_become_one(count, left):
    """A mean of n views errs less by the root of n; in the room about 3 and 8 of them overlap."""
    depth, cameras, _ = make_room(count)
    wrong = disturb(depth)
    raw = measure_distance(unproject(wrong, *cameras).reshape(-1, 3))
    fused = measure_distance(fuse(wrong, cameras).positions)
    assert fused.mean() < left * raw.mean()
    assert np.percentile(fused, 95) < left * np.percentile(raw, 95)


def test_exact_depth_stays_exact_and_every_point_on_its_own_ray():
    depth, cameras, _ = make_room(6)
    cloud = fuse(depth, cameras)
    # corners of the room are no planes, and a pixel knows its neighbours' depth only on planes
    errors = measure_distance(cloud.positions)
    assert np.percentile(errors, 90) < 1e-5
    assert np.percentile(errors, 99) < 6e-3
    cloud = fuse(disturb(depth), cameras)
    for view in range(6):
        local = cloud.positions[cloud.view == view] @ cameras[1][view, :3, :3].T
        local += cameras[1][view, :3, 3]
        pixels = (local / local[:, 2:]) @ cameras[0][view].T
        assert np.abs(pixels[:, :2] % 1 - 0.5).max() < 1e-3


def test_what_hangs_in_the_air_of_one_view_is_removed():
    depth, cameras, _ = make_room(12)
    wrong = disturb(depth)
    patch = np.s_[5, 20:50, 30:60]
    wrong[patch] = 1.0
    cloud = fuse(wrong, cameras)
    mine = cloud.positions[cloud.view == 5]
    assert (measure_distance(mine) > 0.4).sum() < 0.02 * 900
    assert len(mine) > 0.95 * (HEIGHT * WIDTH - 900 - 240)  # its rim is an edge
    assert not cloud.moving.any()


def test_who_walks_by_is_marked_and_the_room_is_not():
    depth, cameras, is_walker = make_room(60, walker=True)
    wrong = disturb(depth)
    cloud = fuse(wrong, cameras)
    on_walker = np.abs(measure_distance(cloud.positions)) > 0.5
    inside = [is_walker[v] & ~find_depth_edges(wrong[v], 0.05) for v in range(60)]
    assert cloud.moving[on_walker].mean() > 0.95
    # most of the walker is kept as moving; the rest was removed, nothing stays in the room
    assert cloud.moving.sum() > 0.6 * np.sum(inside)
    assert cloud.moving[~on_walker].mean() < 0.005
    assert (on_walker & ~cloud.moving).sum() < 0.03 * np.sum(inside)


def test_views_that_agree_are_counted():
    depth, cameras, _ = make_room(5)
    depth[1:, :, :24] = 0  # the left of the first view is nearly its own
    cloud = fuse(depth, cameras)
    assert cloud.view_count.max() == 5
    truth = np.ones(len(cloud.positions), int)
    for view in range(5):
        local = cloud.positions @ cameras[1][view, :3, :3].T + cameras[1][view, :3, 3]
        pixels = (local / local[:, 2:]) @ cameras[0][view].T
        inside = (local[:, 2] > 0) & (pixels[:, :2] > 0).all(1)
        inside &= (pixels[:, 0] < WIDTH) & (pixels[:, 1] < HEIGHT)
        column = np.clip(pixels[:, 0], 0, WIDTH - 1).astype(int)
        row = np.clip(pixels[:, 1], 0, HEIGHT - 1).astype(int)
        inside &= (depth[view, row, column] > 0) & (cloud.view != view)
        truth += inside
    assert (truth == cloud.view_count).mean() > 0.97  # pixels on the line between two walls differ
    only = fuse(depth, cameras, LIMITS._replace(least_views=3))
    assert only.view_count.min() == 3
    assert len(only.positions) == (cloud.view_count >= 3).sum()


@pytest.mark.parametrize("count", [1, 2])
def test_few_views_keep_all_their_points(count):
    depth, cameras, _ = make_room(count)
    wrong = disturb(depth, bend=0.2)  # one view against another proves nothing
    assert len(fuse(wrong, cameras, LIMITS._replace(edge_step=0.0)).positions) == depth.size


def test_depth_that_fits_nothing_stays_and_is_told():
    depth, cameras, _ = make_room(12)
    rng = np.random.default_rng(0)
    wrong = (depth * rng.uniform(0.2, 1, (12, 1, 1))).astype(np.float32)
    maker = CloudMaker(cameras, (HEIGHT, WIDTH), LIMITS)
    maker.add(np.arange(12), wrong, np.ones_like(wrong), np.zeros((*wrong.shape, 3), np.uint8))
    cloud = maker.finish()
    assert maker.is_contradictory
    assert len(cloud.positions) > 0.95 * depth.size
    assert not cloud.moving.any()


def test_parts_make_the_same_cloud_within_the_budget():
    depth, cameras, _ = make_room(30, walker=True)
    wrong = disturb(depth)
    images = np.random.default_rng(1).integers(0, 255, (*depth.shape, 3), dtype=np.uint8)
    whole = fuse_depth(wrong, np.ones_like(wrong), images, cameras, LIMITS[:3])
    maker = CloudMaker(cameras, (HEIGHT, WIDTH), LIMITS)
    for part in np.array_split(np.arange(30), 4):
        maker.add(part, wrong[part], np.ones_like(wrong[part]), images[part])
    for one, other in zip(whole, maker.finish(), strict=True):
        assert np.array_equal(one, other)
    small = fuse(wrong, cameras, LIMITS._replace(max_points=9000))
    assert 7000 < len(small.positions) <= 9000
    assert 0 < small.moving.sum() <= 1800
    again = fuse(wrong, cameras, LIMITS._replace(max_points=9000))
    assert np.array_equal(small.positions, again.positions)


def test_depth_maps_of_long_sequences_are_kept_small_and_few_are_asked(monkeypatch):
    monkeypatch.setattr("da3_blender.pipeline.witnesses._MOST_BYTES", 60 * 4 * 4 * 800)
    depth, cameras, _ = make_room(60)
    witnesses = Witnesses(*cameras, (HEIGHT, WIDTH))
    assert witnesses.size[0] * witnesses.size[1] <= 800
    for view in range(60):
        witnesses.put(view, depth[view], np.ones(depth[view].shape, bool), 0.05)
    points = unproject(depth[30:31], *(camera[30:31] for camera in cameras)).reshape(-1, 3)
    choice = witnesses.choose(30, points)
    assert len(choice.voters) == MOST_VOTERS
    assert max(choice.voters) - min(choice.voters) > 30
    assert set(choice.voters) | set(choice.companions) >= {29, 31}
    wrong = disturb(depth)
    raw = measure_distance(unproject(wrong, *cameras).reshape(-1, 3))
    assert measure_distance(fuse(wrong, cameras).positions).mean() < 0.5 * raw.mean()


def make_views(*names, frames=None):
    numbers = frames or [None] * len(names)
    return [View(n, f"/in/{n}", 8, 6, f) for n, f in zip(names, numbers, strict=True)]


def save_mask(path, black_columns):
    shades = np.full((6, 8), 255, np.uint8)
    shades[:, :black_columns] = 0
    Image.fromarray(shades).save(path)


def test_masks_find_their_frames_by_name_and_by_number(tmp_path):
    save_mask(tmp_path / "a.png", 2)
    save_mask(tmp_path / "b.jpg.png", 3)
    views = make_views("a.jpg", "B.JPG", "c.jpg")
    masks = FrameMasks(views, str(tmp_path))
    assert masks.read(0).sum() == 2 * 6
    assert masks.read(1).sum() == 3 * 6
    assert masks.read(2) is None
    assert masks.count_missing() == 1
    assert FrameMasks(views, str(tmp_path), inverted=True).read(0).sum() == 6 * 6
    numbered = tmp_path / "numbered"
    numbered.mkdir()
    save_mask(numbered / "mask_0007.png", 4)
    clip = make_views("clip.mp4#000006", "clip.mp4#000007", frames=[6, 7])
    masks = FrameMasks(clip, str(numbered))
    assert masks.read(0) is None
    assert masks.read(1).sum() == 4 * 6
    with pytest.raises(EngineError) as caught:
        FrameMasks(make_views("x.jpg"), str(tmp_path))
    assert caught.value.code is ErrorCode.INPUT_MISMATCH


def test_transparent_parts_of_a_picture_are_masked(tmp_path):
    pixels = np.full((6, 8, 4), 200, np.uint8)
    pixels[:2, :, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    pixels[..., 3] = 0
    Image.fromarray(pixels).save(tmp_path / "empty.png")
    views = [View(n, str(tmp_path / n), 8, 6) for n in ("a.png", "empty.png")]
    masks = FrameMasks(views)
    assert np.array_equal(masks.read(0), np.arange(6)[:, None].repeat(8, 1) < 2)
    assert masks.read(1) is None  # an opacity that was never filled is no mask


def test_the_vote_tells_how_far_it_is_and_can_be_ended():
    depth, cameras, _ = make_room(12)
    maker = CloudMaker(cameras, (HEIGHT, WIDTH), LIMITS)
    maker.add(np.arange(12), depth, np.ones_like(depth), np.zeros((*depth.shape, 3), np.uint8))
    shares = []

    def stop(share):
        shares.append(share)
        if share > 0.5:
            raise CancelledError

    with pytest.raises(CancelledError):
        maker.finish(stop)
    assert shares == sorted(shares)
    assert len(shares) == 7
