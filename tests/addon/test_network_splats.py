# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Splats of a result in the scene: beside cameras and points, updated, edited, trimmed."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from da3_blender.contract.cameras import to_blender_points  # noqa: E402 - bpy first
from tests.addon.results import write_photos_result  # noqa: E402

COUNT = 60


def make_arrays(count=COUNT, seed=1):
    rng = np.random.default_rng(seed)
    return {
        "splat_positions": rng.normal(size=(count, 3)).astype(np.float32),
        "splat_scales": rng.uniform(0.01, 0.05, (count, 3)).astype(np.float32),
        "splat_rotations": np.tile(np.float32([1, 0, 0, 0]), (count, 1)),
        "splat_opacities": np.full(count, 0.9, np.float32),
        "splat_harmonics": rng.normal(size=(count, 3, 9)).astype(np.float32),
        "splat_view": (np.arange(count) % 4).astype(np.int32),
        "splat_confidence": np.linspace(1, 2, count, dtype=np.float32),
        "splat_border": np.linspace(0, 0.5, count, dtype=np.float32),
        "splat_far": np.linspace(0, 1, count, dtype=np.float32),
    }


def write_house(folder, **changes):
    arrays = {**make_arrays(), **changes}
    manifest = {"settings": {"inputs": ["/photos/house"]}}
    write_photos_result(folder, manifest=manifest, **arrays)
    return folder


def find(role):
    return [ob for ob in bpy.data.objects if ob.get("da3_role") == role]


def read(ob, name):
    data = ob.data.attributes[name].data
    values = np.empty(len(data) * (3 if name == "position" else 1), np.float32)
    data.foreach_get("vector" if name == "position" else "value", values)
    return values


def test_splats_arrive_beside_the_points(scene, build, extension, tmp_path):
    report = build(write_house(tmp_path / "house"))
    assert report.splats == COUNT
    (splats,), (root,) = find("splats"), find("root")
    assert splats.parent == root
    true = make_arrays()
    assert np.allclose(
        read(splats, "position").reshape(-1, 3), to_blender_points(true["splat_positions"])
    )
    assert np.allclose(read(splats, "border"), true["splat_border"])
    assert np.allclose(read(splats, "far"), true["splat_far"])
    inputs = extension("da3_blender.scene.splat_inputs")
    values = inputs.read_inputs(splats)
    assert values[inputs.TRIM_BORDER] == pytest.approx(8 / 256)
    assert values[inputs.DEGREE] == 2
    (points,) = find("points")
    assert points.hide_get()
    assert points.hide_render
    bpy.ops.da3.show_parts(part="points")
    assert not points.hide_get()
    assert not points.hide_render


def test_without_splats_the_points_stay_on(scene, build, tmp_path):
    write_photos_result(tmp_path / "plain")
    assert build(tmp_path / "plain").splats == 0
    (points,) = find("points")
    assert not points.hide_get()
    assert not find("splats")


def test_a_later_result_updates_the_same_object(scene, build, tmp_path):
    build(write_house(tmp_path / "house"))
    (splats,) = find("splats")
    splats.location = (0, 0, 2)
    splats.modifiers.new("Mine", "CAST")
    bpy.ops.da3.show_parts(part="points")
    report = build(write_house(tmp_path / "later", **make_arrays(90, seed=2)))
    assert report.splats == 90
    (again,) = find("splats")
    assert again == splats
    assert len(again.data.vertices) == 90
    assert tuple(again.location) == (0, 0, 2)
    assert "Mine" in again.modifiers
    (points,) = find("points")
    assert not points.hide_get()  # the user wants to see them


def test_splats_edited_by_hand_stay(scene, build, tmp_path):
    build(write_house(tmp_path / "house"))
    (splats,) = find("splats")
    splats.data.vertices[3].co = (9, 9, 9)
    report = build(write_house(tmp_path / "later", **make_arrays(90, seed=2)))
    assert len(splats.data.vertices) == COUNT
    assert any("splats stay" in note for note in report.notes)
    build(write_house(tmp_path / "last", **make_arrays(90, seed=2)), keep_edits=False)
    assert len(splats.data.vertices) == 90


def test_damaged_splats_are_refused_with_a_sentence(scene, build, extension, tmp_path):
    errors = extension("da3_blender.contract.errors")
    folder = write_house(tmp_path / "house", splat_scales=np.ones((3, 3), np.float32))
    with pytest.raises(errors.EngineError, match="splats"):
        build(folder)
    assert not find("root")


def test_the_switch_reaches_the_run_only_for_models_that_can(scene, extension, tmp_path):
    make = extension("da3_blender.scene.settings_from_scene").make_run_settings
    parts = extension("operators.extension")
    preferences = parts.get_preferences(bpy.context)
    (tmp_path / "photos").mkdir()
    scene.da3.input_path = str(tmp_path / "photos")
    scene.da3.make_splats = True
    for model, expected in (("da3-giant", True), ("da3-base", False)):
        scene.da3.model = model
        assert make(scene, preferences, tmp_path).make_splats is expected
