# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers in plate space, read by OpenEXR: depth and positions of a known plane, sharp edges."""

import numpy as np
import pytest

from da3_blender.contract.errors import EngineError
from da3_blender.exports.plate_layers import GridMaps, PlateCamera, make_layers
from da3_blender.pipeline.export import EXPORTS
from tests.contract.camera_truth import FRAMES, SIZE
from tests.engine.hand_over_results import (
    GRID,
    PLANE,
    REACH,
    make_plane_depth,
    write_refined_result,
)

OpenEXR = pytest.importorskip("OpenEXR")
Y_UP = np.array([1, -1, -1])


def read_layers(path):
    with OpenEXR.File(str(path), separate_channels=True) as file:
        return {name: channel.pixels for name, channel in file.channels().items()}


def list_pixels():
    x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    return np.stack([x, y], -1)


@pytest.mark.parametrize("is_undistorted", [False, True])
def test_the_layers_are_those_of_the_plane_at_every_pixel_of_the_plate(tmp_path, is_undistorted):
    result, cameras, _ = write_refined_result(tmp_path / "result")
    kind = "layers-undistorted" if is_undistorted else "layers"
    EXPORTS[kind](result, tmp_path / "out")
    paths = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in paths] == [f"layers.{frame}.exr" for frame in FRAMES]
    normal = PLANE / np.linalg.norm(PLANE)
    for index, path in enumerate(paths):
        layers = read_layers(path)
        pinhole = list_pixels()
        if not is_undistorted:
            pinhole = cameras.lens_of(index).photo_to_pinhole(pinhole)
        inside = ((pinhole > 0) & (pinhole < SIZE)).all(-1)
        expected = make_plane_depth(cameras.K[index], cameras.w2c[index], pinhole)
        assert np.abs(layers["depth.Z"] / expected - 1)[inside].max() < 1e-5
        assert (layers["depth.Z"][~inside] == 0).all()
        np.testing.assert_array_equal(layers["mask.A"] > 0, inside)
        world = np.stack([layers[f"P.{axis}"] for axis in "XYZ"], -1) * Y_UP
        assert np.abs(world @ PLANE - REACH)[inside].max() < 1e-4
        w2c = cameras.w2c[index]
        local = world @ w2c[:3, :3].T + w2c[:3, 3]
        back = local @ cameras.K[index].T
        assert np.abs(back[..., :2] / back[..., 2:] - pinhole)[inside].max() < 0.01
        found = np.stack([layers[f"N.{axis}"] for axis in "XYZ"], -1) * Y_UP
        towards = -normal if normal @ (-w2c[:3, :3].T @ w2c[:3, 3]) < REACH else normal
        assert np.abs(found - towards)[inside].max() < 2e-3  # half floats
        quarter = pinhole[..., 0] < SIZE[0] / 4
        np.testing.assert_array_equal(layers["sky.A"] > 0, inside & quarter)
        cell = np.floor(pinhole[..., 0] * GRID[0] / SIZE[0]) + 0.5
        assert np.abs(layers["confidence.Y"] - (cell / GRID[0] + 1))[inside].max() < 2e-3


def test_positions_and_depth_are_full_floats_and_the_rest_half(tmp_path):
    result, _, _ = write_refined_result(tmp_path / "result")
    EXPORTS["layers"](result, tmp_path / "out")
    layers = read_layers(tmp_path / "out" / "layers.1001.exr")
    whole = {name for name, plane in layers.items() if plane.dtype == np.float32}
    assert whole == {"depth.Z", "P.X", "P.Y", "P.Z"}
    half = {name for name, plane in layers.items() if plane.dtype == np.float16}
    assert half == {"N.X", "N.Y", "N.Z", "confidence.Y", "mask.A", "sky.A"}


def test_edges_of_depth_are_not_smeared():
    """Between 2 and 5 no pixel may have a depth of its own; holes stay holes."""
    depth = np.full((12, 16), 5.0)
    depth[:, 8:] = 2.0
    depth[3:5, 2:4] = 0
    grid_from_photo = np.diag([16 / 640, 12 / 480, 1])
    K = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])
    maps = GridMaps(depth, None, None, grid_from_photo)
    layers = make_layers(maps, PlateCamera(K, np.eye(4), SIZE), None)
    values = np.unique(np.round(layers["depth.Z"], 4))
    assert values.tolist() == [0, 2, 5]
    assert (layers["depth.Z"][:, 320:] == 2).all()
    assert (layers["depth.Z"][130:190, 90:150] == 0).all()
    # both surfaces face the camera, also beside their edge
    known = layers["mask.A"] > 0
    assert np.abs(layers["N.Z"][known] - 1).max() < 1e-3
    assert "sky.A" not in layers


def test_a_result_without_depth_says_so(tmp_path):
    result, _, _ = write_refined_result(tmp_path / "result")
    del result.manifest["arrays"]["depth"]
    with pytest.raises(EngineError, match="no depth"):
        EXPORTS["layers"](result, tmp_path / "out")
