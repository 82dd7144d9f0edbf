# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""COLMAP's own library reads our models: fixed points land where ours do."""

import numpy as np
import pytest

from da3_blender.camera_files.colmap import read_colmap, write_colmap
from da3_blender.contract.camera_file import CameraFile, CameraView
from da3_blender.contract.lens import Lens
from da3_blender.pipeline.export import EXPORTS, export_colmap
from tests.contract.camera_truth import SIZE, make_cameras, make_points, make_tracks, project_all
from tests.engine.hand_over_results import write_refined_result

pycolmap = pytest.importorskip("pycolmap")

CLOSE_PX = 0.05
LENSES = {
    "SIMPLE_PINHOLE": (700.0, 330.0, 230.0),
    "PINHOLE": (700.0, 707.0, 330.0, 230.0),
    "SIMPLE_RADIAL": (700.0, 330.0, 230.0, -0.08),
    "RADIAL": (700.0, 330.0, 230.0, -0.08, 0.02),
    "OPENCV": (700.0, 707.0, 330.0, 230.0, -0.08, 0.02, 0.003, -0.002),
    "SIMPLE_DIVISION": (700.0, 330.0, 230.0, -0.08),
    "DIVISION": (700.0, 707.0, 330.0, 230.0, -0.08),
}


def project_by_colmap(model, number, points):
    image = model.images[number]
    camera = model.cameras[image.camera_id]
    local = points @ image.cam_from_world().rotation.matrix().T
    local += image.cam_from_world().translation
    return np.array([camera.img_from_cam(point) for point in local])


@pytest.mark.parametrize("is_text", [False, True])
@pytest.mark.parametrize("kind", LENSES)
def test_colmap_projects_through_every_lens_as_we_do(tmp_path, kind, is_text):
    lens = Lens(kind, LENSES[kind], *SIZE)
    plain = make_cameras()
    views = tuple(CameraView(view.name, view.frame, *SIZE, 0) for view in plain.views)
    cameras = CameraFile(views, plain.w2c, np.stack([lens.K] * len(views)), (lens,))
    write_colmap(tmp_path, cameras, is_text=is_text)
    model = pycolmap.Reconstruction(tmp_path)
    points = make_points()
    for index in range(len(views)):
        found = project_by_colmap(model, index + 1, points)
        assert np.abs(found - project_all(cameras, index, points)).max() < CLOSE_PX


@pytest.mark.parametrize("is_text", [False, True])
def test_colmap_sees_tracks_over_several_views(tmp_path, is_text):
    cameras = make_cameras(lens=True)
    tracks = make_tracks(cameras)
    write_colmap(tmp_path, cameras, tracks, is_text=is_text)
    model = pycolmap.Reconstruction(tmp_path)
    assert model.num_points3D() == len(tracks.points)
    lengths = np.bincount(tracks.track, minlength=len(tracks.points))
    assert lengths.max() > 3
    for number, point in model.points3D.items():
        assert point.track.length() == lengths[number - 1]
        np.testing.assert_allclose(point.xyz, tracks.points[number - 1])
        for element in point.track.elements:
            feature = model.images[element.image_id].points2D[element.point2D_idx]
            assert feature.point3D_id == number
            mine = (tracks.view == element.image_id - 1) & (tracks.track == number - 1)
            np.testing.assert_allclose(feature.xy, tracks.px[mine][0])


@pytest.mark.parametrize("kind", ["bin", "txt"])
def test_models_that_colmap_has_written_are_read(tmp_path, kind):
    """COLMAP 4 adds rigs and frames, and its numbers need not begin at 1 or follow each other."""
    cameras = make_cameras(lens=True)
    tracks = make_tracks(cameras)
    write_colmap(tmp_path / "ours", cameras, tracks)
    model = pycolmap.Reconstruction(tmp_path / "ours")
    model.delete_point3D(5)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (model.write_binary if kind == "bin" else model.write_text)(str(theirs))
    assert (theirs / f"frames.{kind}").is_file()
    found = read_colmap(theirs)
    for index in range(len(cameras.views)):
        there = project_all(found.cameras, index, make_points())
        assert np.abs(there - project_all(cameras, index, make_points())).max() < CLOSE_PX
    assert len(found.tracks.points) == len(tracks.points) - 1
    assert len(found.tracks.view) == len(tracks.view) - np.count_nonzero(tracks.track == 4)
    for view, track, px in zip(found.tracks.view, found.tracks.track, found.tracks.px, strict=True):
        seen = np.abs(tracks.points - found.tracks.points[track]).max(axis=1) < 1e-9
        mine = (tracks.view == view) & seen[tracks.track]
        np.testing.assert_allclose(px, tracks.px[mine][0])


def test_a_refined_result_becomes_a_project_with_its_own_lens(tmp_path):
    result, cameras, tracks = write_refined_result(tmp_path / "result")
    out = export_colmap(result, tmp_path / "out")
    model = pycolmap.Reconstruction(out / "sparse" / "0")
    assert model.cameras[1].model.name == "OPENCV"
    lengths = [point.track.length() for point in model.points3D.values()]
    assert sum(lengths) == len(tracks.view)
    # the observations are noisy by 0.2 px, and COLMAP measures just that with our cameras
    model.update_point_3d_errors()
    seen = [point.error for point in model.points3D.values() if point.track.length()]
    assert 0.1 < np.mean(seen) < 0.4
    names = sorted(path.name for path in (out / "images").iterdir())
    assert names == [model.images[index + 1].name for index in range(len(cameras.views))]


def test_converted_pictures_come_with_pinholes_and_moved_observations(tmp_path):
    result, _, _ = write_refined_result(tmp_path / "result")
    for view in result.views:
        view["needs_copy"] = True
    out = EXPORTS["colmap-text"](result, tmp_path / "out")
    model = pycolmap.Reconstruction(out / "sparse" / "0")
    assert {camera.model.name for camera in model.cameras.values()} == {"PINHOLE"}
    model.update_point_3d_errors()
    seen = [point.error for point in model.points3D.values() if point.track.length()]
    assert 0.1 < np.mean(seen) < 0.4
