# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference rasteriser against what can be computed on paper."""

import numpy as np
import pytest

from da3_blender.splats.cloud import GaussianCloud
from da3_blender.splats.harmonics import C0, C1, colour_to_coefficient
from tests.splat_reference import linear_from_srgb, measure_psnr, project_splats, render
from tests.splats.clouds import make_cloud

SIZE = (65, 49)
K = np.array([[60.0, 0, 32.5], [0, 60, 24.5], [0, 0, 1]])
MIDDLE = (24, 32)


def make(positions, scales, opacities, colours, rotations=None):
    count = len(positions)
    return GaussianCloud(
        np.float32(positions),
        np.float32(scales),
        np.float32(rotations if rotations is not None else [[1, 0, 0, 0]] * count),
        np.float32(opacities),
        colour_to_coefficient(np.float32(colours)).astype(np.float32)[:, :, None],
    )


def test_one_gaussian_on_the_axis():
    cloud = make([[0, 0, 4]], [[0.2, 0.4, 0.1]], [0.8], [[0.2, 0.5, 0.9]])
    picture = render(cloud, np.eye(4), K, SIZE, dilation_px=0)
    dx, dy = (np.arange(65) + 0.5 - 32.5), (np.arange(49) + 0.5 - 24.5)[:, None]
    alpha = 0.8 * np.exp(-0.5 * ((dx / 3) ** 2 + (dy / 6) ** 2))  # 60 / 4 * 0.2 and * 0.4 pixels
    alpha[alpha < 1 / 255] = 0
    assert np.allclose(picture[..., 3], alpha, atol=1e-6)
    assert np.allclose(picture[..., :3], alpha[..., None] * [0.2, 0.5, 0.9], atol=1e-6)


def test_dilation_adds_to_the_variance():
    cloud = make([[0, 0, 4]], [[1e-6, 1e-6, 1e-6]], [0.9], [[1, 1, 1]])
    picture = render(cloud, np.eye(4), K, SIZE, dilation_px=0.3)
    y, x = MIDDLE
    assert picture[y, x, 3] == pytest.approx(0.9)
    assert picture[y, x + 1, 3] == pytest.approx(0.9 * np.exp(-0.5 / 0.3))


def test_two_behind_each_other_in_both_spaces():
    far, near = [0.9, 0.1, 0.4], [0.2, 0.6, 0.1]
    cloud = make([[0, 0, 5], [0, 0, 3]], [[1, 1, 1]] * 2, [0.6, 0.5], [far, near])
    y, x = MIDDLE
    shown = render(cloud, np.eye(4), K, SIZE)[y, x]
    assert shown[:3] == pytest.approx(0.5 * np.array(near) + 0.5 * 0.6 * np.array(far), abs=1e-6)
    assert shown[3] == pytest.approx(1 - 0.5 * 0.4)
    linear = render(cloud, np.eye(4), K, SIZE, blend="linear")[y, x]
    wanted = 0.5 * linear_from_srgb(np.array(near)) + 0.3 * linear_from_srgb(np.array(far))
    assert linear[:3] == pytest.approx(wanted, abs=1e-6)


def test_the_order_is_that_of_depth_not_of_the_list():
    cloud = make_cloud(60, extent=0.8)
    w2c = np.eye(4)
    w2c[2, 3] = 4
    there = render(cloud, w2c, K, SIZE)
    back = render(cloud.take(np.arange(60)[::-1].copy()), w2c, K, SIZE)
    assert np.allclose(there, back)


def test_off_axis_a_sphere_becomes_the_ellipse_of_the_derivative():
    cloud = make([[3, 0, 4]], [[0.1] * 3], [0.5], [[1, 1, 1]])
    pixels, covariances, depth = project_splats(cloud, np.eye(4), K, 0)
    assert pixels[0] == pytest.approx([60 * 0.75 + 32.5, 24.5])
    # J = f / z (1, 0, -x / z; 0, 1, -y / z): variance (f s / z)^2 (1 + (x / z)^2) across
    unit = (60 * 0.1 / 4) ** 2
    assert covariances[0] == pytest.approx(np.array([[unit * (1 + 0.5625), 0], [0, unit]]))
    assert depth[0] == pytest.approx(4)


def test_far_beyond_the_edge_the_slope_is_limited():
    cloud = make([[9, 0, 4]], [[0.1] * 3], [0.5], [[1, 1, 1]])
    pixels, covariances, _ = project_splats(cloud, np.eye(4), K, 0, SIZE)
    assert pixels[0] == pytest.approx([60 * 2.25 + 32.5, 24.5])
    slope = 1.3 * 32.5 / 60
    assert covariances[0, 0, 0] == pytest.approx((60 * 0.1 / 4) ** 2 * (1 + slope**2))


def test_a_turned_gaussian_leans():
    # a quarter turn of pi / 4 around the view axis: x towards y
    q = [np.cos(np.pi / 8), 0, 0, np.sin(np.pi / 8)]
    cloud = make([[0, 0, 4]], [[0.4, 0.1, 0.1]], [0.5], [[1, 1, 1]], [q])
    _, covariances, _ = project_splats(cloud, np.eye(4), K, 0)
    assert covariances[0, 0, 1] == pytest.approx(15**2 * (0.4**2 - 0.1**2) / 2, rel=1e-5)


def test_colour_depends_on_the_side():
    harmonics = np.zeros((1, 3, 4), np.float32)
    harmonics[0, 0, 2] = 0.5  # red grows with z of the direction
    cloud = GaussianCloud(
        np.float32([[0, 0, 0]]),
        np.full((1, 3), 1.0, np.float32),
        np.float32([[1, 0, 0, 0]]),
        np.float32([0.5]),
        harmonics,
    )
    y, x = MIDDLE
    for turn, sign in ((np.eye(3), 1), (np.diag([-1.0, 1, -1]), -1)):
        w2c = np.eye(4)
        w2c[:3, :3], w2c[2, 3] = turn, 4
        red = render(cloud, w2c, K, SIZE)[y, x, 0] / 0.5
        assert red == pytest.approx(0.5 + sign * C1 * 0.5, abs=1e-5)
    assert C0 < C1


def test_what_is_behind_the_eye_is_not_drawn():
    cloud = make([[0, 0, -4]], [[1, 1, 1]], [0.9], [[1, 1, 1]])
    assert not render(cloud, np.eye(4), K, SIZE).any()


def test_psnr():
    assert measure_psnr(np.zeros(4), np.full(4, 0.1)) == pytest.approx(20)
