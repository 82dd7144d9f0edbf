# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resizing, cropping and normalising pictures.

Runs in the engine's environment.
"""

from __future__ import annotations

import numpy as np
import pytest

from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.inference.preprocess import RESIZE_METHODS, normalise, prepare_views
from da3_blender.inference.resample import resize_by_area, resize_by_cubic


def make_noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("resize", [resize_by_area, resize_by_cubic])
@pytest.mark.parametrize("size", [(70, 42), (99, 57), (50, 30), (33, 20)])
@pytest.mark.parametrize("level", [0, 1, 127, 254, 255])
def test_constant_picture_stays_constant(resize, size, level):
    image = np.full((60, 100, 3), level, np.uint8)
    assert (resize(image, *size) == level).all()


def test_half_size_rounds_halves_up():
    image = np.zeros((2, 4, 3), np.uint8)
    image[0, 0] = 2  # sum 2, mean 0.5
    image[0, 2] = 1  # sum 1, mean 0.25
    assert resize_by_area(image, 2, 1)[0, :, 0].tolist() == [1, 0]


def test_other_whole_factors_are_plain_means():
    image = make_noise(30, 40)
    mean = image.reshape(10, 3, 8, 5, 3).astype(np.float64).mean(axis=(1, 3))
    assert np.abs(resize_by_area(image, 8, 10) - mean).max() <= 0.5 + 1e-5


@pytest.mark.parametrize("size", [(37, 23), (99, 59), (50, 60), (100, 17)])
def test_area_is_the_exact_box_mean(size):
    image = make_noise(60, 100)
    width, height = size

    def box(count, source):
        edges = np.arange(count + 1) * source / count
        low, high = edges[:-1, None], edges[1:, None]
        pixel = np.arange(source)
        share = np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None)
        return share / share.sum(axis=1, keepdims=True)

    wanted = np.einsum("ij,jkc,lk->ilc", box(height, 60), image.astype(float), box(width, 100))
    # slivers below a thousandth of a pixel are dropped
    assert np.abs(resize_by_area(image, width, height) - wanted).max() <= 0.5 + 0.3


def test_cubic_reproduces_a_ramp_inside():
    ramp = np.tile(np.arange(0, 200, 4, dtype=np.uint8)[None, :, None], (20, 1, 3))
    bigger = resize_by_cubic(ramp, 100, 40)
    place = (np.arange(100) + 0.5) / 2 - 0.5
    # a cubic filter with a = -0.75 bends a ramp by a fraction of its step
    assert np.abs(bigger[20, 4:-4, 0] - 4 * place[4:-4]).max() <= 1.0


@pytest.mark.parametrize("method", RESIZE_METHODS)
@pytest.mark.parametrize("size", [(300, 400), (400, 300), (91, 157), (504, 504), (14, 2000)])
def test_sides_are_multiples_of_a_patch(method, size):
    views = prepare_views([make_noise(*size)], 252, method)
    height, width = views.images.shape[1:3]
    assert height % 14 == width % 14 == 0
    assert min(height, width) >= 14
    assert views.tensor.shape == (1, 3, height, width)
    side = max if method.startswith("upper") else min
    assert abs(side(height, width) - 252) < 14


def test_matrix_takes_the_middle_to_the_middle():
    for method in RESIZE_METHODS:
        views = prepare_views([make_noise(300, 410)], 252, method)
        height, width = views.images.shape[1:3]
        middle = views.grid_from_original[0] @ (205, 150, 1)
        # crops move by whole pixels
        assert np.abs(middle[:2] - (width / 2, height / 2)).max() <= 0.5


def test_matrix_finds_a_mark():
    image = np.zeros((300, 400, 3), np.uint8)
    image[98:102, 298:302] = 255
    for method in RESIZE_METHODS:
        views = prepare_views([image], 252, method)
        x, y, _ = views.grid_from_original[0] @ (300, 100, 1)
        mass = views.images[0, :, :, 0].astype(float)
        rows, columns = np.indices(mass.shape) + 0.5
        found = (mass * columns).sum() / mass.sum(), (mass * rows).sum() / mass.sum()
        assert found == pytest.approx((x, y), abs=0.3)


def test_mixed_shapes_are_cut_to_the_common_size_and_reported():
    views = prepare_views([make_noise(240, 320), make_noise(320, 240), make_noise(240, 240)], 252)
    assert views.images.shape[1:3] == (196, 196)
    assert views.cropped_share[:2] == pytest.approx([1 - 196 / 252, 1 - 196 / 252])
    # the square picture became 252 x 252 before it was cut
    assert views.cropped_share[2] == pytest.approx(1 - (196 / 252) ** 2)
    same = prepare_views([make_noise(240, 320), make_noise(480, 640)], 252)
    assert same.cropped_share.tolist() == [0, 0]


def test_a_picture_of_the_right_size_is_untouched():
    image = make_noise(378, 504)
    views = prepare_views([image], 504)
    assert np.array_equal(views.images[0], image)
    assert np.array_equal(views.grid_from_original[0], np.eye(3))
    back = views.tensor[0].transpose(1, 2, 0) * (0.229, 0.224, 0.225) + (0.485, 0.456, 0.406)
    assert np.array_equal(np.rint(back * 255).astype(np.uint8), image)


def test_normalised_values():
    images = np.zeros((1, 1, 2, 3), np.uint8)
    images[0, 0, 1] = 255
    tensor = normalise(images)
    assert tensor.dtype == np.float32
    assert tensor[0, :, 0, 0].tolist() == pytest.approx([-2.1179, -2.0357, -1.8044], abs=1e-4)
    assert tensor[0, :, 0, 1].tolist() == pytest.approx([2.2489, 2.4286, 2.6400], abs=1e-4)


@pytest.mark.parametrize(
    ("images", "options", "code"),
    [
        ([], {}, ErrorCode.INPUT_EMPTY),
        ([np.zeros((4, 4), np.uint8)], {}, ErrorCode.INPUT_UNREADABLE),
        ([np.zeros((4, 4, 3), np.float32)], {}, ErrorCode.INPUT_UNREADABLE),
        ([np.zeros((0, 4, 3), np.uint8)], {}, ErrorCode.INPUT_UNREADABLE),
        ([np.zeros((4, 4, 3), np.uint8)], {"method": "squeeze"}, ErrorCode.SETTINGS_INVALID),
        ([np.zeros((4, 4, 3), np.uint8)], {"resolution": 13}, ErrorCode.SETTINGS_INVALID),
    ],
)
def test_wrong_input_is_refused(images, options, code):
    with pytest.raises(EngineError) as error:
        prepare_views(images, **options)
    assert error.value.code is code
