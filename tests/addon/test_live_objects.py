# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A long run while it goes on: chunks as objects, moved by loops, gone in the end."""

import json

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from da3_blender.contract.cameras import from_blender_matrix, to_blender_points  # noqa: E402
from da3_blender.contract.live import LIVE_FILE, name_live_chunk  # noqa: E402
from da3_blender.contract.similarity import Sim3  # noqa: E402
from tests.addon.results import make_K, make_w2c  # noqa: E402

COUNT = 6


def make_sim(seed):
    random = np.random.default_rng(seed)
    rotation = np.linalg.qr(random.normal(size=(3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    return Sim3(float(np.exp(random.normal(0, 0.3))), rotation, random.normal(size=3))


def write_chunk(folder, number):
    random = np.random.default_rng(number)
    points = random.normal(size=(40, 3)).astype(np.float32)
    w2c = make_w2c(COUNT, turns=0.2)
    np.savez(
        folder / name_live_chunk(number),
        points=points,
        colours=random.integers(0, 255, (40, 3), dtype=np.uint8),
        w2c=w2c,
        K=np.tile(make_K(640, 480), (COUNT, 1, 1)),
        frames=np.arange(10 + COUNT * number, 10 + COUNT * (number + 1)),
        size=np.array([640, 480]),
    )
    return points, w2c


def write_places(folder, sims):
    content = {"chunks": [{"place": sim.to_json()} for sim in sims]}
    (folder / LIVE_FILE).write_text(json.dumps(content), encoding="utf-8")
    return folder / LIVE_FILE


@pytest.fixture
def live(extension):
    module = extension("da3_blender.scene.live_objects")
    yield module
    module.remove_live()


def read_points(ob):
    bpy.context.view_layer.update()
    positions = np.empty(3 * len(ob.data.vertices), np.float32)
    ob.data.attributes["position"].data.foreach_get("vector", positions)
    local = positions.reshape(-1, 3).astype(np.float64)
    matrix = np.array(ob.matrix_world)
    return local @ matrix[:3, :3].T + matrix[:3, 3]


def list_clouds():
    clouds = [ob for ob in bpy.data.objects if ob.type == "MESH" and "da3_live" in ob]
    return sorted(clouds, key=lambda ob: ob.parent["da3_index"])


def check(scene, chunks, sims):
    for cloud, (points, _), sim in zip(list_clouds(), chunks, sims, strict=True):
        expected = to_blender_points(sim.apply_to_points(points.astype(np.float64)))
        assert np.abs(read_points(cloud) - expected).max() < 1e-4
    (camera,) = [ob for ob in bpy.data.objects if ob.type == "CAMERA" and "da3_live" in ob]
    frame = 10
    for (_, w2c), sim in zip(chunks, sims, strict=True):
        for expected in sim.apply_to_w2c(w2c):
            scene.frame_set(frame)
            found = from_blender_matrix(np.array(camera.matrix_world))
            assert np.abs(found - expected).max() < 1e-4
            frame += 1


def test_chunks_come_one_by_one_and_a_loop_moves_them(scene, live, tmp_path):
    chunks, sims = [write_chunk(tmp_path, 0)], [make_sim(0)]
    file = write_places(tmp_path, sims)
    assert live.show_live(scene, file, "so far") == 1
    check(scene, chunks, sims)
    first = list_clouds()[0].data
    for number in (1, 2):
        chunks.append(write_chunk(tmp_path, number))
        sims.append(make_sim(number))
    write_places(tmp_path, sims)
    assert live.show_live(scene, file, "so far") == 3
    check(scene, chunks, sims)
    moved = [make_sim(10 + number) for number in range(3)]
    write_places(tmp_path, moved)
    live.show_live(scene, file, "so far")
    check(scene, chunks, moved)
    assert list_clouds()[0].data == first  # points are not written again
    assert len(bpy.data.collections) == 1


def test_what_was_deleted_comes_back_with_the_next_chunk(scene, live, tmp_path):
    for number in (0, 1):
        write_chunk(tmp_path, number)
    file = write_places(tmp_path, [make_sim(0), make_sim(1)])
    live.show_live(scene, file, "so far")
    bpy.data.objects.remove(list_clouds()[1].parent)
    bpy.data.objects.remove(next(ob for ob in bpy.data.objects if ob.type == "CAMERA"))
    live.show_live(scene, file, "so far")
    assert [ob.parent["da3_index"] for ob in list_clouds()] == [0, 1]
    root = list_clouds()[0].parent.parent
    bpy.data.objects.remove(root)
    live.show_live(scene, file, "so far")
    assert {ob.parent.parent.name for ob in list_clouds()} == {"so far"}
    assert [ob.type for ob in bpy.data.objects].count("CAMERA") == 1


def test_nothing_is_left(scene, live, tmp_path):
    def count():
        data = bpy.data
        return [len(x) for x in (data.objects, data.meshes, data.cameras, data.actions)]

    before = [*count(), len(bpy.data.collections)]
    write_chunk(tmp_path, 0)
    file = write_places(tmp_path, [make_sim(0)])
    live.show_live(scene, file, "so far")
    assert count() != before[:-1]
    assert live.remove_live() == 4  # root, chunk, points, camera
    assert [*count(), len(bpy.data.collections)] == before


def test_files_that_are_gone_change_nothing(scene, live, tmp_path):
    write_chunk(tmp_path, 0)
    file = write_places(tmp_path, [make_sim(0)])
    live.show_live(scene, file, "so far")
    names = {ob.name for ob in bpy.data.objects}
    (tmp_path / name_live_chunk(0)).unlink()
    file.unlink()
    assert live.show_live(scene, file, "so far") == 0
    assert {ob.name for ob in bpy.data.objects} == names
