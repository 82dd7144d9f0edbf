# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs that take cameras one has and refine them, on ray-cast photos of a known lens."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

pytest.importorskip("pycolmap", reason="needs the engine's environment")

from da3_blender.contract.camera_file import CameraFile, CameraView, write_camera_file
from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.errors import CancelledError, EngineError, ErrorCode
from da3_blender.contract.lens import Lens
from da3_blender.contract.progress import Progress
from da3_blender.contract.result_folder import load_result
from da3_blender.contract.rotations import measure_angle
from da3_blender.contract.settings import RunSettings
from da3_blender.inference.given_cameras import align_cameras
from da3_blender.pipeline import create_pipeline
from tests.engine.test_solve_scene import FOCAL, HEIGHT, WIDTH, cast_rays, make_poses, render

K1 = -0.08


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    """A folder of distorted photos with an umlaut, and the true cameras."""
    folder = tmp_path_factory.mktemp("plate") / "Fotos für Köln"
    folder.mkdir()
    poses = make_poses()
    for number, pose in enumerate(poses):
        photo = Image.fromarray(render(pose, cast_rays(K1)))
        photo.save(folder / f"shot_{number + 1:04d}.png")
    return folder, poses


def write_rough(path, poses, *, size=(WIDTH, HEIGHT), names=None, degrees=0.4, focal=1.04):
    """Write cameras that are a little off."""
    random = np.random.default_rng(7)
    c2w = invert_rigid(poses)
    reach = np.linalg.norm(c2w[:, :3, 3] - c2w[:, :3, 3].mean(0), axis=1).max()
    turn = Rotation.from_rotvec(np.radians(degrees) * random.normal(size=(len(c2w), 3)))
    c2w[:, :3, :3] = c2w[:, :3, :3] @ turn.as_matrix()
    c2w[:, :3, 3] += 0.01 * reach * random.normal(size=(len(c2w), 3)) * (degrees > 0)
    width, height = size
    scale = width / WIDTH
    K = np.array([[focal * FOCAL * scale, 0, width / 2], [0, focal * FOCAL * scale, height / 2],
                  [0, 0, 1]])  # fmt: skip
    names = names or [f"shot_{number + 1:04d}.png" for number in range(len(poses))]
    views = tuple(CameraView(name, None, width, height) for name in names)
    write_camera_file(path, CameraFile(views, invert_rigid(c2w), np.tile(K, (len(poses), 1, 1))))
    return invert_rigid(c2w)


def run(folder, out, cancel_in=None, **changes):
    notes, stop = [], []

    def listen(stage, _fraction, _detail, _remaining):
        if stage == cancel_in:
            stop.append(True)

    progress = Progress(listen, lambda: bool(stop), notes.append)
    chosen = {"check_photos": False, "cameras": "COLMAP", **changes}
    settings = RunSettings((str(folder),), str(out), input_kind="PHOTOS", **chosen)
    return create_pipeline().run(settings, progress), notes


def measure(result, poses):
    """Return the largest angle in degrees and distance in reaches from the true cameras."""
    w2c = np.array(result.load("w2c"))
    moved = align_cameras(poses, w2c).apply_to_w2c(w2c)
    angle = np.degrees(measure_angle(moved[:, :3, :3], poses[:, :3, :3])).max()
    centres, true = invert_rigid(moved)[:, :3, 3], invert_rigid(poses)[:, :3, 3]
    reach = np.linalg.norm(true - true.mean(0), axis=1).max()
    return angle, np.linalg.norm(centres - true, axis=1).max() / reach


@pytest.fixture(scope="module")
def refined(plate, tmp_path_factory):
    folder, poses = plate
    place = tmp_path_factory.mktemp("refined")
    rough = write_rough(place / "cameras.json", poses)
    summary, notes = run(
        folder, place / "out", known_cameras=str(place / "cameras.json"), refine=True
    )
    return summary, notes, load_result(place / "out"), rough


def test_rough_known_cameras_are_refined_below_a_pixel(refined, plate):
    summary, notes, result, rough = refined
    poses = plate[1]
    assert summary["solver"] == "Known cameras"
    assert summary["error_px"] < 0.6
    angle, distance = measure(result, poses)
    assert angle < 0.1
    assert distance < 0.01
    assert np.degrees(measure_angle(rough[:, :3, :3], poses[:, :3, :3])).max() > 0.4
    lens = Lens.from_json(result.manifest["lenses"][0])
    assert abs(lens.params[0] / FOCAL - 1) < 0.01
    assert abs(lens.params[3] - K1) < 0.02
    assert any("refined" in note and "focal length" in note for note in notes)


def test_the_world_of_known_cameras_stays(refined):
    _, _, result, rough = refined
    w2c = np.array(result.load("w2c"))
    centres, before = invert_rigid(w2c)[:, :3, 3], invert_rigid(rough)[:, :3, 3]
    reach = np.linalg.norm(before - before.mean(0), axis=1).max()
    assert np.linalg.norm(centres - before, axis=1).max() < 0.05 * reach


def test_tracks_report_and_model_come_with_refined_cameras(refined):
    _, _, result, _ = refined
    points = np.array(result.load("track_points"))
    view = np.array(result.load("observation_view"))
    track = np.array(result.load("observation_track"))
    px = np.array(result.load("observation_px"))
    w2c = np.array(result.load("w2c"))
    lens = Lens.from_json(result.manifest["lenses"][0])
    assert len(points) > 200
    local = np.einsum("lij,lj->li", w2c[view, :3, :3], points[track]) + w2c[view, :3, 3]
    pinhole = local @ lens.K.T
    error = np.linalg.norm(lens.pinhole_to_photo(pinhole[:, :2] / pinhole[:, 2:]) - px, axis=1)
    report = result.manifest["refinement"]
    assert error.mean() == pytest.approx(report["mean_px"], abs=0.01)
    for number, facts in enumerate(report["views"]):
        assert facts["points"] == (view == number).sum()
        assert facts["worst_px"] == pytest.approx(error[view == number].max(), abs=0.02)
    assert report["focal"][0]["sigma_px"] < 10
    assert report["unplaced"] == []
    kept = sorted(path.name for path in (result.folder / "refined").iterdir())
    assert kept == ["sparse"]
    import pycolmap

    model = pycolmap.Reconstruction(result.folder / "refined" / "sparse")
    assert model.num_points3D() == len(points)
    assert model.num_reg_images() == len(w2c)


def test_photos_behind_distorted_cameras_are_undistorted(refined):
    _, _, result, _ = refined
    assert result.manifest["lenses"][0]["undistorted"]
    assert all(str(view["photo"]).startswith("photos/") for view in result.manifest["views"])
    assert all(result.photo_path(view).is_file() for view in result.views)


def test_a_result_is_refined_again_and_stays_where_it_is(refined, tmp_path):
    _, _, result, _ = refined
    before = np.array(result.load("w2c"))
    copy = tmp_path / "again"
    settings = RunSettings.from_json(result.manifest["settings"])
    changes = {"reuse": str(result.folder), "lens_model": "RADIAL", "refine": True}
    progress = Progress(lambda *_report: None, lambda: False, lambda _text: None)
    asked = RunSettings(settings.inputs, str(copy), **changes)
    summary = create_pipeline().run(asked, progress)
    again = load_result(copy)
    assert again.manifest["lenses"][0]["model"] == "RADIAL"
    assert summary["error_px"] < 0.6
    after = np.array(again.load("w2c"))
    assert np.degrees(measure_angle(after[:, :3, :3], before[:, :3, :3])).max() < 0.05
    # the first result is whole, though the second one took its pictures over
    assert load_result(result.folder).manifest["lenses"][0]["model"] == "SIMPLE_RADIAL"
    assert all(result.photo_path(view).is_file() for view in result.views)


def test_known_cameras_of_a_proxy_are_scaled(plate, tmp_path):
    folder, poses = plate
    write_rough(tmp_path / "c.json", poses, size=(WIDTH // 2, HEIGHT // 2), degrees=0, focal=1)
    run(folder, tmp_path / "out", known_cameras=str(tmp_path / "c.json"))
    result = load_result(tmp_path / "out")
    K = np.array(result.load("K"))
    assert K[0, 0, 0] == pytest.approx(FOCAL)
    assert K[0, 0, 2] == pytest.approx(WIDTH / 2)
    np.testing.assert_allclose(np.array(result.load("w2c")), poses, atol=1e-9)


def test_pictures_without_a_camera_are_left_out_and_named(plate, tmp_path):
    folder, poses = plate
    write_rough(tmp_path / "c.json", poses[:4], names=[f"SHOT_{n:04d}.exr" for n in (1, 2, 4, 5)])
    summary, notes = run(folder, tmp_path / "out", known_cameras=str(tmp_path / "c.json"))
    result = load_result(tmp_path / "out")
    assert [Path(v["name"]).stem for v in result.views] == [f"shot_{n:04d}" for n in (1, 2, 4, 5)]
    assert summary["lost"] == len(poses) - 4
    assert any("have no camera" in note for note in notes)


def test_cameras_of_another_shot_are_refused(plate, tmp_path):
    folder, poses = plate
    write_rough(tmp_path / "c.json", poses, names=[f"other_{n}.png" for n in range(len(poses))])
    with pytest.raises(EngineError) as caught:
        run(folder, tmp_path / "out", known_cameras=str(tmp_path / "c.json"))
    assert caught.value.code is ErrorCode.INPUT_MISMATCH
    assert not (tmp_path / "out").exists()
    content = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    content["views"][0]["name"] = "shot_0001.png"
    content["views"][0]["width"] = WIDTH * 2
    (tmp_path / "c.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(EngineError, match="is for a picture of"):
        run(folder, tmp_path / "out", known_cameras=str(tmp_path / "c.json"))


def test_cancelling_a_refinement_leaves_nothing(plate, tmp_path):
    folder, poses = plate
    write_rough(tmp_path / "c.json", poses)
    with pytest.raises(CancelledError):
        run(
            folder, tmp_path / "out", "Following points through the shot",
            known_cameras=str(tmp_path / "c.json"), refine=True,
        )  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == ["c.json"]


def test_plain_pictures_keep_their_cameras_and_say_why(tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90 + number)).save(
            folder / f"shot_{number + 1:04d}.png"
        )
    write_rough(tmp_path / "c.json", make_poses()[:3], degrees=0)
    summary, notes = run(
        folder, tmp_path / "out", known_cameras=str(tmp_path / "c.json"), refine=True
    )
    assert summary["error_px"] is None
    assert any("not refined" in note for note in notes)
    np.testing.assert_allclose(load_result(tmp_path / "out").load("w2c"), make_poses()[:3])


def test_real_photos_refine_below_a_pixel(tmp_path):
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "sceaux"
    if not folder.is_dir():
        pytest.skip("the photos of Sceaux castle are not beside the checkout")
    summary, notes = run(folder, tmp_path / "out", cameras="COLMAP", refine=True, max_features=4096)
    result = load_result(tmp_path / "out")
    report = result.manifest["refinement"]
    assert summary["cameras"] == 11
    assert summary["error_px"] < 0.8
    assert report["unplaced"] == []
    assert report["focal"][0]["sigma_px"] < 5
    assert any("sure to" in note for note in notes)
