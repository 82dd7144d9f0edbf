# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lenses: all models against COLMAP's own projection, and undistorted photos."""

import numpy as np
import pytest

from da3_blender.contract.lens import Lens
from da3_blender.solve import undistort_photo

pycolmap = pytest.importorskip("pycolmap", reason="needs the engine's environment")

LENSES = [
    Lens("SIMPLE_PINHOLE", (500.0, 320.0, 240.0), 640, 480),
    Lens("PINHOLE", (500.0, 520.0, 310.0, 250.0), 640, 480),
    Lens("SIMPLE_RADIAL", (500.0, 320.0, 240.0, -0.12), 640, 480),
    Lens("RADIAL", (500.0, 320.0, 240.0, 0.08, -0.02), 640, 480),
    Lens("OPENCV", (500.0, 510.0, 315.0, 245.0, -0.1, 0.03, 0.002, -0.003), 640, 480),
    Lens("SIMPLE_DIVISION", (500.0, 320.0, 240.0, -0.2), 640, 480),
    Lens("SIMPLE_DIVISION", (500.0, 320.0, 240.0, 0.15), 640, 480),
    Lens("DIVISION", (500.0, 510.0, 315.0, 245.0, -0.1), 640, 480),
]


def draw_discs(lens, centres, radius=4.0):
    """Draw soft white discs at pixels of the distorted photo."""
    y, x = np.mgrid[0 : lens.height, 0 : lens.width] + 0.5
    image = np.zeros((lens.height, lens.width))
    for centre_x, centre_y in centres:
        distance = np.hypot(x - centre_x, y - centre_y)
        image = np.maximum(image, np.exp(-0.5 * (distance / radius) ** 2))
    return np.repeat((255 * image).astype(np.uint8)[..., None], 3, axis=2)


def find_disc(image, near, reach=14):
    """Return the centre of mass of the brightness around a pixel."""
    column, row = int(near[0]), int(near[1])
    top, left = row - reach, column - reach
    patch = image[top : row + reach, left : column + reach, 0].astype(float)
    y, x = np.mgrid[0 : patch.shape[0], 0 : patch.shape[1]] + 0.5
    return np.array([(x * patch).sum(), (y * patch).sum()]) / patch.sum() + [left, top]


@pytest.mark.parametrize("lens", LENSES, ids=lambda lens: lens.model)
def test_lens_agrees_with_colmap(lens):
    camera = pycolmap.Camera(
        model=lens.model, width=lens.width, height=lens.height, params=list(lens.params)
    )
    np.testing.assert_allclose(lens.K, camera.calibration_matrix())
    rays = np.random.default_rng(0).uniform([-0.6, -0.45], [0.6, 0.45], (200, 2))
    rays = np.concatenate([rays, np.ones((200, 1))], axis=1)
    pinhole = (rays @ lens.K.T)[:, :2]
    np.testing.assert_allclose(lens.pinhole_to_photo(pinhole), camera.img_from_cam(rays), atol=1e-9)


@pytest.mark.parametrize("lens", LENSES[2:], ids=lambda lens: lens.model)
def test_undistorted_photo_shows_points_where_the_pinhole_says(lens):
    truth = np.array([[x, y] for x in (90, 200, 320, 450, 560) for y in (70, 240, 400)], float)
    camera = pycolmap.Camera(
        model=lens.model, width=lens.width, height=lens.height, params=list(lens.params)
    )
    rays = np.concatenate([truth, np.ones((len(truth), 1))], axis=1) @ np.linalg.inv(lens.K).T
    photo = draw_discs(lens, camera.img_from_cam(rays))
    moved = np.linalg.norm(camera.img_from_cam(rays) - truth, axis=1)
    assert moved.max() > 2, "the test must move something"
    result = undistort_photo(photo, lens)
    assert result.shape == photo.shape
    assert result.dtype == np.uint8
    found = np.array([find_disc(result, centre) for centre in truth])
    # A disc that the lens squeezes a little is no longer quite symmetric: 0.2 px.
    assert np.linalg.norm(found - truth, axis=1).max() < 0.2


def test_a_pinhole_needs_no_undistortion():
    photo = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    lens = Lens("PINHOLE", (50.0, 50.0, 32.0, 24.0), 64, 48)
    assert lens.distortion_px == 0
    assert not lens.needs_undistortion
    np.testing.assert_array_equal(undistort_photo(photo, lens), photo)


def test_half_a_pixel_is_the_limit():
    def displace(k):  # at the corner: f r^3 |k|
        return Lens("SIMPLE_RADIAL", (500.0, 320.0, 240.0, k), 640, 480)

    corner = 500 * (400 / 500) ** 3
    assert displace(0.49 / corner).distortion_px == pytest.approx(0.49, rel=1e-6)
    assert not displace(0.49 / corner).needs_undistortion
    assert displace(-0.51 / corner).needs_undistortion


def test_border_pixels_are_repeated_where_the_photo_ends():
    photo = np.zeros((48, 64, 3), np.uint8)
    photo[:, -1] = (10, 200, 30)
    # A cushion: the corners of the pinhole picture lie outside the photo.
    lens = Lens("SIMPLE_RADIAL", (50.0, 32.0, 24.0, 0.3), 64, 48)
    result = undistort_photo(photo, lens)
    np.testing.assert_array_equal(result[:, -1], photo[:, -1])
    assert (result[24, -3:] == (10, 200, 30)).all()


def test_a_lens_that_folds_back_shows_nothing_twice():
    # r - 0.5 r^3 stops growing at r = 0.816; the corner lies at r = 1.
    lens = Lens("SIMPLE_RADIAL", (400.0, 320.0, 240.0, -0.5), 640, 480)
    steps = np.linspace(0, 1, 50)[:, None]
    seen = lens.pinhole_to_photo(np.array([320.0, 240.0]) + steps * [-320.0, -240.0])
    radius = np.linalg.norm(seen - [320.0, 240.0], axis=1)
    assert (np.diff(radius) >= -1e-9).all()
    assert radius[-1] == pytest.approx(400 * 0.8165 * (1 - 0.5 * 0.8165**2), rel=1e-4)


def test_json_keeps_the_lens():
    for lens in LENSES:
        data = lens.to_json()
        assert Lens.from_json(data) == lens
        assert data["distortion_px"] == lens.distortion_px


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="no lens FISHEYE"):
        Lens("FISHEYE", (1.0,), 10, 10)
    with pytest.raises(ValueError, match="3 parameters"):
        Lens("SIMPLE_RADIAL", (1.0, 2.0, 3.0), 10, 10)
    with pytest.raises(ValueError, match="64 x 48"):
        undistort_photo(
            np.zeros((64, 48, 3), np.uint8), Lens("SIMPLE_PINHOLE", (50.0, 32.0, 24.0), 64, 48)
        )


@pytest.mark.parametrize("lens", LENSES, ids=lambda lens: lens.model)
def test_photo_to_pinhole_agrees_with_colmap_and_goes_back(lens):
    camera = pycolmap.Camera(
        model=lens.model, width=lens.width, height=lens.height, params=list(lens.params)
    )
    pixels = np.random.default_rng(1).uniform([0, 0], [640, 480], (300, 2))
    pinhole = lens.photo_to_pinhole(pixels)
    rays = np.concatenate([camera.cam_from_img(pixels), np.ones((300, 1))], axis=1)
    np.testing.assert_allclose(pinhole, (rays @ lens.K.T)[:, :2], atol=1e-6)
    np.testing.assert_allclose(lens.pinhole_to_photo(pinhole), pixels, atol=1e-9)


def test_lens_sees_nothing_beyond_its_fold():
    lens = Lens("SIMPLE_RADIAL", (500.0, 320.0, 240.0, -0.5), 640, 480)
    largest = np.sqrt(1 / 1.5) * (2 / 3)  # radius in the photo where its growth ends
    inside = np.array([[320 + 500 * 0.99 * largest, 240.0]])
    outside = np.array([[320 + 500 * 1.05 * largest, 240.0]])
    np.testing.assert_allclose(lens.pinhole_to_photo(lens.photo_to_pinhole(inside)), inside)
    assert np.isnan(lens.photo_to_pinhole(outside)).all()


def test_another_focal_length_keeps_the_rest():
    lens = Lens("OPENCV", (500.0, 510.0, 315.0, 245.0, -0.1, 0.03, 0.002, -0.003), 640, 480)
    zoomed = lens.with_focal(1000.0)
    assert zoomed.params == (1000.0, 1020.0, 315.0, 245.0, -0.1, 0.03, 0.002, -0.003)
    assert lens.with_focal(500.0) == lens
