# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clouds, meshes and the fusion of depth, against shapes that are known exactly."""

from __future__ import annotations

import struct

import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy is not installed")

from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.evaluation.clouds import compare_clouds, sample_mesh, thin_points
from da3_blender.evaluation.dtu import (
    DtuLimits,
    Observation,
    compare_dtu_style,
    confirm_points,
    thin_greedily,
)
from da3_blender.evaluation.measure_surface import measure_surface
from da3_blender.evaluation.ply_file import read_ply
from da3_blender.evaluation.scene_facts import SceneFacts
from da3_blender.evaluation.tsdf import TsdfVolume
from tests.engine.truth import (
    ELSEWHERE,
    HALF,
    HEIGHT,
    WIDTH,
    Oracle,
    cast,
    make_lenses,
    make_scene,
    make_surface,
    make_w2c,
)


def make_plane(height, step=0.05):
    x, y = np.meshgrid(np.arange(0, 1, step), np.arange(0, 1, step))
    return np.stack([x.ravel(), y.ravel(), np.full(x.size, height)], axis=1)


def measure_wall_distance(points):
    """Distance of points from the nearest wall of the room."""
    return np.abs(HALF - np.abs(points)).min(axis=1)


def test_parallel_planes():
    errors = compare_clouds(make_plane(0.03), make_plane(0), 0.05)
    assert errors.accuracy == errors.completeness == errors.overall == pytest.approx(0.03)
    assert errors.precision == errors.recall == errors.f1 == 1
    assert compare_clouds(make_plane(0.05), make_plane(0), 0.05).f1 == 0  # strictly below


def test_half_a_plane_is_precise_but_not_complete():
    plane = make_plane(0)
    half = plane[plane[:, 0] < 0.5]
    errors = compare_clouds(half, plane, 0.01)
    assert errors.precision == 1
    assert errors.recall == pytest.approx(0.5)
    assert errors.f1 == pytest.approx(2 / 3)
    assert errors.accuracy == 0
    # columns at 0.5, 0.55 ... 0.95 are 0.05, 0.1 ... 0.5 from the last one there is
    assert errors.completeness == pytest.approx(np.arange(1, 11).mean() * 0.05 / 2)


@pytest.mark.parametrize("empty", [0, 1])
def test_an_empty_cloud_is_infinitely_far(empty):
    clouds = [make_plane(0), make_plane(0)]
    clouds[empty] = np.zeros((0, 3))
    errors = compare_clouds(*clouds, 0.05)
    assert errors.overall == np.inf
    assert errors.f1 == 0


def test_thinning_takes_means_in_a_grid_half_a_cell_below():
    points = np.array([[0, 0, 0], [0.4, 0, 0], [0.6, 0, 0], [1.4, 0, 0]])
    thinned = thin_points(points, 1.0)  # cells end at 0.5 and 1.5
    assert sorted(thinned[:, 0]) == pytest.approx([0.2, 1.0])
    assert len(thin_points(points, 0)) == 4
    assert len(thin_points(np.zeros((0, 3)), 0.1)) == 0


def test_samples_are_even_over_the_area():
    vertices = np.array([[0, 0, 0], [2, 0, 0], [0, 1, 0], [10, 0, 0], [11, 0, 0], [10, 2, 0.0]])
    faces = np.array([[0, 1, 2], [3, 4, 5], [0, 0, 1]])  # areas 1, 1 and 0
    points = sample_mesh(vertices, faces, 20_000, seed=1)
    left = points[points[:, 0] < 5]
    assert len(left) == pytest.approx(10_000, abs=300)  # 4 sigma
    assert left.mean(axis=0) == pytest.approx([2 / 3, 1 / 3, 0], abs=0.01)
    assert (left[:, 0] / 2 + left[:, 1] <= 1 + 1e-12).all()
    assert (sample_mesh(vertices, faces, 100, 1) == sample_mesh(vertices, faces, 100, 1)).all()
    assert len(sample_mesh(vertices, faces[2:], 100, 1)) == 0


def test_a_fused_room_lies_on_its_walls():
    w2c, K = make_w2c(8), make_lenses(8)
    volume = TsdfVolume(0.05, 0.2)
    for pose, lens in zip(w2c, K, strict=True):
        volume.integrate(cast(pose, lens)[0], lens, pose)
    points = volume.extract_points()
    assert len(points) > 5000
    distance = measure_wall_distance(points)
    # pixels are 3 cm wide there: corners of the room are cut by less than a cell
    assert np.median(distance) < 0.005
    assert np.quantile(distance, 0.99) < 0.05
    assert points.min() < -1  # negative coordinates work
    # cells of every orientation are found in equal measure: walls on all sides that were seen
    assert {*np.abs(HALF - np.abs(points)).argmin(axis=1)} == {0, 1, 2}


def test_what_is_far_or_unknown_is_no_surface():
    w2c, K = make_w2c(1)[0], make_lenses(1)[0]
    depth = cast(w2c, K)[0]
    depth[:10] = np.nan
    depth[10:20] = 0
    depth[20:30] = np.inf
    volume = TsdfVolume(0.05, 0.2)
    volume.integrate(depth, K, w2c, max_depth=2.5)
    points = volume.extract_points()
    camera = points @ w2c[:3, :3].T + w2c[:3, 3]
    assert camera[:, 2].max() < 2.6
    row = K[1, 1] * camera[:, 1] / camera[:, 2] + K[1, 2]
    assert row.min() > 29
    empty = TsdfVolume(0.05, 0.2)
    empty.integrate(np.zeros((HEIGHT, WIDTH)), K, w2c)
    assert empty.extract_points().shape == (0, 3)


def test_noise_is_averaged_over_views():
    generator = np.random.default_rng(0)
    w2c, K = make_w2c(1)[0], make_lenses(1)[0]
    depth = cast(w2c, K)[0]

    def fuse(count):
        volume = TsdfVolume(0.05, 0.3)
        for _ in range(count):
            volume.integrate(depth * (1 + 0.02 * generator.normal(size=depth.shape)), K, w2c)
        return measure_wall_distance(volume.extract_points()).mean()

    assert fuse(16) < 0.4 * fuse(1)  # a fourth, and what the grid adds


def test_cells_too_small_for_the_size_are_refused():
    volume = TsdfVolume(1e-6, 1e-5)
    with pytest.raises(ValueError, match="too far for cells of 1e-06"):
        volume.integrate(np.full((4, 4), 5.0), make_lenses(1, 4, 4)[0], np.eye(4))
    with pytest.raises(ValueError, match="must be positive"):
        TsdfVolume(0.0, 0.1)


@pytest.mark.parametrize("is_posed", [False, True])
def test_a_perfect_estimate_scores_near_one(is_posed):
    facts = SceneFacts(threshold=0.05, thinning_cell=0.03, tsdf_cell=0.03)
    scene = make_scene(10, facts=facts)
    true = make_surface()
    seen = [true @ pose[:3, :3].T + pose[:3, 3] for pose in scene.w2c]
    visible = np.any(
        [
            (p[:, 2] > 0)
            & (np.abs(p[:, 0]) < 0.53 * p[:, 2])  # a little inside of the picture
            & (np.abs(p[:, 1]) < 0.39 * p[:, 2])
            for p in seen
        ],
        axis=0,
    )
    world = None if is_posed else ELSEWHERE
    found = Oracle(world).estimate(scene, lambda *_: None, lambda: False)
    scores = measure_surface(scene, found, true[visible], is_posed=is_posed)
    assert scores["recall"] > 0.99
    assert scores["completeness"] < 0.02
    assert scores["f1"] > 0.9  # the estimate also has the margin that was left out
    assert scores["limits"]["truncation"] == pytest.approx(0.12)


def test_wrong_lenses_spoil_the_surface_unless_the_true_ones_are_used():
    scene = make_scene(10, facts=SceneFacts(threshold=0.05, thinning_cell=0.03))

    def spoil(w2c, K, depth):
        K[:, :2, :2] *= 1.3

    found = Oracle(spoil=spoil).estimate(scene, lambda *_: None, lambda: False)
    true = make_surface()
    unposed = measure_surface(scene, found, true, is_posed=False)
    posed = measure_surface(scene, found, true, is_posed=True)
    assert posed["precision"] > 0.99
    assert unposed["precision"] < 0.7


def test_points_outside_the_bounds_do_not_count():
    bounds = ((-9.0, -9.0, -9.0), (0.0, 9.0, 9.0))
    facts = SceneFacts(threshold=0.05, thinning_cell=0.03, bounds=bounds)
    scene = make_scene(10, facts=facts)
    found = Oracle().estimate(scene, lambda *_: None, lambda: False)
    true = make_surface()
    half = measure_surface(scene, found, true[true[:, 0] < 0], is_posed=True)
    assert half["precision"] > 0.99
    whole = make_scene(10, facts=SceneFacts(threshold=0.05, thinning_cell=0.03))
    assert measure_surface(whole, found, true[true[:, 0] < 0], is_posed=True)["precision"] < 0.8


def test_greedy_thinning_goes_in_order():
    points = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [3.5, 0, 0.0]])
    assert thin_greedily(points, 1.0).tolist() == [True, False, True, True]
    assert thin_greedily(points[[1, 0, 2, 3]], 1.0).tolist() == [True, False, False, True]
    assert thin_greedily(np.zeros((0, 3)), 1.0).shape == (0,)


def test_greedy_thinning_is_right_across_chunks():
    points = np.random.default_rng(0).uniform(0, 10, (9000, 3))
    kept = points[thin_greedily(points, 0.8)]
    distance = np.linalg.norm(kept[:, None] - kept[None], axis=-1)
    assert distance[~np.eye(len(kept), dtype=bool)].min() > 0.8
    to_kept = np.linalg.norm(points[::50, None] - kept[None], axis=-1).min(axis=1)
    assert to_kept.max() <= 0.8


def test_dtu_counts_inside_the_mask_and_above_the_plane():
    box = np.array([[0, 0, 0], [10, 10, 10.0]])
    mask = np.ones((11, 11, 11), bool)
    mask[6:] = False
    observation = Observation(box, 1.0, mask, np.array([0, 0, 1, -0.5]))
    truth = np.array([[1, 1, 1], [1, 1, 0.2]])  # the second lies below the plane
    found = np.array([[1, 1, 1.5], [1, 1, 4.0], [9, 9, 9], [1, 1, 30]])
    errors = compare_dtu_style(found, truth, observation, DtuLimits(0.1, 1.0, 2.0))
    # inside the mask: 0.5 and 3.0 away, the latter beyond the cap; (9, 9, 9) is masked, 30 outside
    assert errors.accuracy == pytest.approx(0.5)
    assert errors.completeness == pytest.approx(0.5)
    empty = compare_dtu_style(np.zeros((0, 3)), truth, observation, DtuLimits())
    assert empty.overall == np.inf


def test_points_need_views_that_agree():
    scene = make_scene(5)
    views = [(np.array(scene.depth[i]), scene.K[i], scene.w2c[i]) for i in range(5)]
    agreed = confirm_points(views, 0.05, 3)
    assert len(agreed) > 1000
    assert measure_wall_distance(agreed).max() < 0.05
    views[2] = (views[2][0] * 1.3, *views[2][1:])
    without = confirm_points(views, 0.05, 3)
    assert 0 < len(without) < len(agreed)
    assert measure_wall_distance(without).max() < 0.05  # the wrong view confirms nothing


def test_a_scene_with_an_observation_gets_the_measure_of_the_dtu_set():
    mask = np.ones((20, 20, 20), bool)
    observation = Observation(np.stack([-HALF, HALF]), 0.5, mask, np.array([0, 0, 0, 1.0]))
    scene = make_scene(5, observation=observation)
    found = Oracle().estimate(scene, lambda *_: None, lambda: False)
    for is_posed in (False, True):
        scores = measure_surface(scene, found, make_surface(20_000), is_posed=is_posed)
        assert scores["accuracy"] < 0.1
        assert "f1" not in scores


TRIANGLES = [(0, 1, 2), (0, 2, 3)]
CORNERS = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0.5)]


def write_ply(path, form, faces, count_kind="uchar"):
    header = f"ply\nformat {form} 1.0\ncomment none\nelement vertex 4\n"
    header += "property float x\nproperty float y\nproperty double z\nproperty uchar red\n"
    if faces:
        header += f"element face {len(faces)}\nproperty list {count_kind} int vertex_indices\n"
    data = (header + "end_header\n").encode()
    if form == "ascii":
        for corner in CORNERS:
            data += f"{corner[0]} {corner[1]} {corner[2]} 7\n".encode()
        for face in faces:
            data += (" ".join(map(str, (len(face), *face))) + "\n").encode()
    else:
        order = "<" if "little" in form else ">"
        count = {"uchar": "B", "int": "i"}[count_kind]
        for corner in CORNERS:
            data += struct.pack(order + "ffdB", *corner, 7)
        for face in faces:
            data += struct.pack(f"{order}{count}{len(face)}i", len(face), *face)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("form", ["ascii", "binary_little_endian", "binary_big_endian"])
@pytest.mark.parametrize(
    ("faces", "expected"),
    [
        ([], []),
        (TRIANGLES, TRIANGLES),
        ([(0, 1, 2, 3)], [(0, 1, 2), (0, 2, 3)]),
        ([(0, 1, 2), (0, 1, 2, 3)], [(0, 1, 2), (0, 1, 2), (0, 2, 3)]),
    ],
)
def test_ply_files(tmp_path, form, faces, expected):
    mesh = read_ply(write_ply(tmp_path / "a.ply", form, faces, "int" if faces else "uchar"))
    assert mesh.vertices == pytest.approx(np.array(CORNERS))
    assert sorted(map(tuple, mesh.faces.tolist())) == sorted(expected)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: b"solid" + data, "does not begin with ply"),
        (lambda data: data[: data.index(b"end_header")], "no end"),
        (lambda data: data[:-20], "readable PLY"),
        (lambda data: data.replace(b"property double z", b"property double w"), "'z'"),
        (lambda data: data[:-4] + b"\x09\0\0\0", "the vertex 9 of 4"),
        (lambda data: data.replace(b"binary_little_endian", b"binary_middle_endian"), "middle"),
    ],
)
def test_damaged_ply_files_are_a_sentence(tmp_path, spoil, words):
    path = write_ply(tmp_path / "a.ply", "binary_little_endian", TRIANGLES)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(EngineError, match=r"a\.ply cannot be used") as caught:
        read_ply(path)
    assert caught.value.code is ErrorCode.INPUT_UNREADABLE
    assert words in caught.value.message
