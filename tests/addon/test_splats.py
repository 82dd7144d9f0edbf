# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Splats in the scene: objects, files, settings."""

import pathlib
import sys
from dataclasses import replace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from da3_blender.splats.files import SplatFormat, read_splats, write_splats  # noqa: E402
from da3_blender.splats.result_arrays import NETWORK_BORDER  # noqa: E402
from tests.addon.splat_scenes import make_shell  # noqa: E402
from tests.splats.clouds import make_cloud, measure_turns  # noqa: E402


@pytest.fixture
def objects(scene, extension):
    return extension("da3_blender.scene.splat_object")


@pytest.fixture
def inputs(scene, extension):
    return extension("da3_blender.scene.splat_inputs")


@pytest.fixture
def compat(extension):
    return extension("da3_blender.scene.compat")


def find_splats():
    return [ob for ob in bpy.data.objects if ob.get("da3_role") == "splats"]


def write(path, cloud, kind=SplatFormat.PLY):
    write_splats(path, cloud, kind)
    return path


@pytest.mark.parametrize("degree", [0, 2, 3])
def test_an_object_holds_the_cloud(objects, degree):
    cloud = make_cloud(500, degree)
    ob = objects.make_splat_object("s", cloud)
    back = objects.read_splat_object(ob)
    assert back.degree == degree
    assert np.allclose(back.positions, cloud.positions, atol=1e-6)
    assert np.array_equal(back.scales, cloud.scales)
    assert np.array_equal(back.opacities, cloud.opacities)
    assert np.allclose(back.harmonics, cloud.harmonics, atol=1e-6)
    assert measure_turns(back.rotations, cloud.rotations).max() < 1e-6
    # z is up in Blender where y is down in files
    assert ob.data.vertices[7].co.z == pytest.approx(-cloud.positions[7, 1])


def test_ranks_put_large_dense_gaussians_first(objects):
    cloud = make_cloud(4, 0)
    cloud.scales[:] = [[1, 1, 1], [2, 2, 0.01], [1, 1, 1], [0.1, 0.1, 0.1]]
    cloud.opacities[:] = [0.5, 0.5, 0.9, 0.9]
    assert objects.rank_by_importance(cloud).tolist() == [2, 0, 1, 3]


@pytest.mark.parametrize("kind", [k for k in SplatFormat if k is not SplatFormat.USD])
def test_files_come_in_and_go_out(scene, extension, tmp_path, kind):
    cloud = make_cloud(300, 2)
    path = write(tmp_path / f"a{kind.value}", cloud, kind)
    assert bpy.ops.da3.import_splats(filepath=str(path)) == {"FINISHED"}
    (ob,) = find_splats()
    assert ob.select_get()
    assert bpy.context.active_object == ob
    assert scene.cycles.transparent_max_bounces == 256
    out = tmp_path / f"b{kind.value}"
    assert bpy.ops.da3.export_splats(filepath=str(out), file_format=kind.name) == {"FINISHED"}
    first, second = read_splats(path).cloud, read_splats(out).cloud
    assert second.count == first.count == 300
    order = [np.lexsort(np.round(c.positions, 4).T) for c in (first, second)]
    first, second = first.take(order[0]), second.take(order[1])
    assert np.abs(first.positions - second.positions).max() < 2e-3
    assert np.abs(np.log(first.scales / second.scales)).max() < 2e-3


def test_usd_is_what_openusd_understands(scene, extension, tmp_path):
    folder = pathlib.Path(bpy.utils.resource_path("LOCAL")) / "python" / "lib"
    libraries = next(iter(folder.glob("python3*/site-packages")), None)
    if libraries is None or bpy.app.version < (5, 2, 0):
        pytest.skip("this Blender has no OpenUSD 26.03, which brought the schema")
    sys.path.append(str(libraries))
    pxr = pytest.importorskip("pxr.UsdVol")
    from pxr import Usd

    cloud = make_cloud(50, 2)
    write_splats(tmp_path / "a.usda", cloud, SplatFormat.USD)
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    field = pxr.ParticleField3DGaussianSplat(stage.GetDefaultPrim())
    assert field
    prim = field.GetPrim()
    known = set(pxr.ParticleField3DGaussianSplat.GetSchemaAttributeNames())
    known |= set(prim.GetPrimDefinition().GetPropertyNames())
    assert {a.GetName() for a in prim.GetAuthoredAttributes()} <= known
    positions = np.array(prim.GetAttribute("positions").Get())
    assert np.allclose(positions, cloud.positions * (1, -1, -1))
    turns = [(q.real, *q.imaginary) for q in prim.GetAttribute("orientations").Get()]
    half = np.array(turns)[:, [1, 0, 3, 2]] * (1, -1, 1, -1)  # the half turn around x undone
    assert measure_turns(half, cloud.rotations).max() < 1e-3
    count = len(prim.GetAttribute("radiance:sphericalHarmonicsCoefficients").Get())
    assert count == 50 * 9


def test_dropped_files_are_ours(scene, extension):
    handler = bpy.types.FileHandler.bl_rna_get_subclass_py("DA3_FH_splats")
    assert handler.bl_import_operator == "da3.import_splats"
    assert handler.bl_file_extensions == ".ply;.spz;.splat"


def test_several_files_one_undo_step_and_degrees_together(scene, extension, tmp_path):
    write(tmp_path / "a.ply", make_cloud(20, 0))
    write(tmp_path / "b.ply", make_cloud(30, 3, seed=1))
    bpy.ops.da3.import_splats(directory=str(tmp_path), files=[{"name": "a.ply"}, {"name": "b.ply"}])
    assert sorted(len(ob.data.vertices) for ob in find_splats()) == [20, 30]
    for ob in find_splats():
        ob.select_set(state=True)
    bpy.ops.da3.export_splats(filepath=str(tmp_path / "both.ply"))
    both = read_splats(tmp_path / "both.ply").cloud
    assert (both.count, both.degree) == (50, 3)


def test_up_axes(scene, extension, tmp_path):
    cloud = make_cloud(10, 0)
    path = write(tmp_path / "a.ply", cloud)
    bpy.ops.da3.import_splats(filepath=str(path), up_axis="PLUS_Z")
    (ob,) = find_splats()
    assert np.allclose(ob.data.vertices[3].co, cloud.positions[3], atol=1e-6)


def test_exports_have_the_transform_and_only_what_shows(scene, extension, compat, tmp_path):
    cloud = make_cloud(200, 1)
    bpy.ops.da3.import_splats(filepath=str(write(tmp_path / "a.ply", cloud)))
    (ob,) = find_splats()
    ob.location, ob.scale = (1, 2, 3), (2, 2, 2)
    compat.set_modifier_input(ob.modifiers[0], "Min Opacity", 0.5)
    compat.set_modifier_input(ob.modifiers[0], "Degree", 0)
    bpy.context.view_layer.update()
    bpy.ops.da3.export_splats(filepath=str(tmp_path / "b.ply"))
    out = read_splats(tmp_path / "b.ply").cloud
    kept = cloud.opacities >= 0.5
    assert (out.count, out.degree) == (int(kept.sum()), 0)
    # Blender's (1, 2, 3) is (1, -3, 2) in the file
    assert np.allclose(out.positions, 2 * cloud.positions[kept] + (1, -3, 2), atol=1e-5)
    assert np.allclose(out.scales, 2 * cloud.scales[kept], rtol=1e-5)
    bpy.ops.da3.export_splats(filepath=str(tmp_path / "c.ply"), only_shown=False)
    assert read_splats(tmp_path / "c.ply").cloud.count == 200


def test_bad_files_say_why(scene, extension, tmp_path):
    path = tmp_path / "points.ply"
    head = "ply\nformat binary_little_endian 1.0\nelement vertex 1\n"
    head += "".join(f"property float {n}\n" for n in "xyz") + "end_header\n"
    path.write_bytes(head.encode() + bytes(12))
    with pytest.raises(RuntimeError, match="no Gaussians"):
        bpy.ops.da3.import_splats(filepath=str(path))
    assert not find_splats()
    with pytest.raises(RuntimeError, match="There is no file"):
        bpy.ops.da3.import_splats(filepath=str(tmp_path / "none.ply"))


def test_a_removed_attribute_is_named_on_export(scene, extension, tmp_path):
    bpy.ops.da3.import_splats(filepath=str(write(tmp_path / "a.ply", make_cloud(10))))
    (ob,) = find_splats()
    ob.data.attributes.remove(ob.data.attributes["opacity"])
    with pytest.raises(RuntimeError, match="no attribute opacity"):
        bpy.ops.da3.export_splats(filepath=str(tmp_path / "b.ply"))


def evaluate(ob):
    graph = bpy.context.evaluated_depsgraph_get()
    return ob.evaluated_get(graph).to_mesh()


def test_the_viewport_gets_edges_of_a_box_and_quads_when_asked(scene, objects, inputs, compat):
    from tests.addon.splat_scenes import add_camera, look_from, place

    ob = objects.make_splat_object("s", make_shell(100))
    scene.collection.objects.link(ob)
    place(add_camera(scene), look_from((0, 0, -4)))
    mesh = evaluate(ob)
    assert (len(mesh.vertices), len(mesh.edges), len(mesh.polygons)) == (8, 12, 0)
    modifier = inputs.find_splat_modifier(ob)
    compat.set_modifier_input(modifier, "Show in Viewport", value=True)
    ob.update_tag()
    assert len(evaluate(ob).polygons) == 100
    compat.set_modifier_input(modifier, "Budget", 30)
    ob.update_tag()
    assert len(evaluate(ob).polygons) == 30
    assert len(ob.data.vertices) == 100


def test_quads_face_the_picture_and_lie_at_their_centres(scene, objects, inputs, compat):
    from tests.addon.splat_scenes import add_camera, look_from, place

    ob = objects.make_splat_object("s", make_shell(50))
    scene.collection.objects.link(ob)
    ob.scale, ob.rotation_euler = (1, -2, 0.5), (0.3, 0.2, 1)
    camera = add_camera(scene)
    place(camera, look_from((2, -1, -3)))
    compat.set_modifier_input(inputs.find_splat_modifier(ob), "Show in Viewport", value=True)
    ob.update_tag()
    mesh = evaluate(ob)
    corners = np.array([ob.matrix_world @ v.co for v in mesh.vertices]).reshape(-1, 4, 3)
    inverse = np.array(camera.matrix_world.inverted())
    depth = corners @ inverse[2, :3] + inverse[2, 3]
    assert np.ptp(depth, axis=1).max() < 1e-4
    centres = np.array([ob.matrix_world @ v.co for v in ob.data.vertices])
    wanted = np.sort(centres @ inverse[2, :3] + inverse[2, 3])
    assert np.allclose(depth.mean(axis=1), wanted, atol=1e-4)  # sorted, the farthest first


def test_limits_choose_the_same_for_quads_and_drawing(scene, objects, inputs, compat, extension):
    from tests.addon.splat_scenes import add_camera, look_from, place

    sorting = extension("da3_blender.scene.splat_sorting")
    ob = objects.make_splat_object("s", make_shell(400))
    scene.collection.objects.link(ob)
    place(add_camera(scene), look_from((0, 0, -6)))
    modifier = inputs.find_splat_modifier(ob)
    compat.set_modifier_input(modifier, "Show in Viewport", value=True)
    cloud = objects.read_splat_mesh(ob.data)
    facts = sorting.collect_facts(cloud, objects.rank_by_importance(cloud))
    for name, value in (
        ("Min Opacity", 0.4),
        ("Max Size", 0.12),
        ("Max Stretch", 1.5),
        ("Budget", 100),
    ):
        compat.set_modifier_input(modifier, name, value)
        ob.update_tag()
        shown = sorting.choose_shown(facts, inputs.read_inputs(ob))
        assert 0 < len(evaluate(ob).polygons) == len(shown) < 400, name


@pytest.mark.parametrize(
    ("name", "value", "hidden"),
    [("Trim Border", 0.2, 40), ("Trim Far", 0.75, 24), ("Min Neighbours", 150, 50)],
)
def test_what_is_known_of_a_gaussian_can_hide_it(  # noqa: PLR0913, PLR0917 - fixtures
    scene, objects, inputs, compat, extension, tmp_path, name, value, hidden
):
    from tests.addon.splat_scenes import add_camera, look_from, place

    sorting = extension("da3_blender.scene.splat_sorting")
    number = np.arange(100)
    bare = replace(make_shell(100, 1), opacities=np.full(100, 0.5, np.float32))
    cloud = replace(
        bare,
        border=(number / 200).astype(np.float32),
        far=(number / 100).astype(np.float32),
        neighbours=(number * 3).astype(np.int32),
    )
    place(add_camera(scene), look_from((0, 0, -6)))
    for known, wanted in ((cloud, 100 - hidden), (bare, 100)):
        ob = objects.make_splat_object("s", known)
        scene.collection.objects.link(ob)
        modifier = inputs.find_splat_modifier(ob)
        compat.set_modifier_input(modifier, "Show in Viewport", value=True)
        local = objects.read_splat_mesh(ob.data)
        facts = sorting.collect_facts(local, objects.rank_by_importance(local))
        assert len(sorting.choose_shown(facts, inputs.read_inputs(ob))) == 100
        assert len(evaluate(ob).polygons) == 100
        compat.set_modifier_input(modifier, name, value)
        ob.update_tag()
        assert len(sorting.choose_shown(facts, inputs.read_inputs(ob))) == wanted
        assert len(evaluate(ob).polygons) == wanted
        bpy.ops.object.select_all(action="DESELECT")
        ob.select_set(state=True)
        bpy.context.view_layer.objects.active = ob
        bpy.ops.da3.export_splats(filepath=str(tmp_path / "a.ply"))
        assert read_splats(tmp_path / "a.ply").cloud.count == wanted


def test_an_object_holds_what_is_known_of_its_gaussians(objects, inputs):
    number = np.arange(20)
    cloud = replace(
        make_cloud(20, 0),
        border=(number / 50).astype(np.float32),
        far=(number / 20).astype(np.float32),
        neighbours=number.astype(np.int32),
    )
    ob = objects.make_splat_object("s", cloud, trim_border=NETWORK_BORDER)
    back = objects.read_splat_object(ob)
    for name in ("border", "far", "neighbours"):
        assert np.array_equal(getattr(back, name), getattr(cloud, name))
    assert back.views is back.confidence is None
    assert inputs.read_inputs(ob)["Trim Border"] == 8 / 256
    other = objects.make_splat_object("s", cloud)
    assert inputs.read_inputs(other)["Trim Border"] == 0


def test_a_crop_box_hides_what_is_outside_everywhere(
    scene, objects, inputs, compat, extension, tmp_path
):
    from tests.addon.splat_scenes import add_camera, look_from, place

    sorting, crop = (extension(f"da3_blender.scene.splat_{n}") for n in ("sorting", "crop"))
    cloud = make_shell(300, 1)
    bpy.ops.da3.import_splats(filepath=str(write(tmp_path / "a.ply", cloud)))
    (ob,) = find_splats()
    place(add_camera(scene), look_from((0, 0, -6)))
    ob.location, ob.scale = (0.3, 0, 0), (1, 2, 0.5)
    compat.set_modifier_input(ob.modifiers[0], "Show in Viewport", value=True)
    assert bpy.ops.da3.crop_splats() == {"FINISHED"}
    box = bpy.context.active_object
    assert box.parent == ob
    box.scale.x *= 0.5
    box.rotation_euler.z = 0.4
    bpy.context.view_layer.update()
    ob.update_tag()
    points = np.array([ob.matrix_world @ v.co for v in ob.data.vertices])
    inverse = np.array(box.matrix_world.inverted())
    inside = (np.abs(points @ inverse[:3, :3].T + inverse[:3, 3]) <= 1).all(axis=1)
    assert 30 < inside.sum() < 270
    assert len(evaluate(ob).polygons) == inside.sum()
    local = objects.read_splat_mesh(ob.data)
    facts = sorting.collect_facts(local, objects.rank_by_importance(local))
    settings = inputs.read_inputs(ob)
    shown = sorting.choose_shown(facts, settings, crop.find_crop(ob, settings))
    assert np.array_equal(shown, np.flatnonzero(inside))
    bpy.context.view_layer.objects.active = ob
    bpy.ops.da3.crop_splats()  # a second time finds the same box
    assert bpy.context.active_object == box
    bpy.data.objects.remove(box)
    bpy.context.view_layer.update()
    assert crop.find_crop(ob, inputs.read_inputs(ob)) is None
    ob.update_tag()
    assert len(evaluate(ob).polygons) == 300


def test_sorting_is_exact(extension, scene):
    sorting = extension("da3_blender.scene.splat_sorting")
    rng = np.random.default_rng(0)
    positions = (rng.normal(size=(20_000, 3)) * np.exp(rng.normal(size=(20_000, 1)) * 5)).astype(
        np.float32
    )
    row = np.float32([0.3, -0.5, 0.8])
    order = sorting.sort_far_to_near(positions, np.arange(20_000), row)
    depth = (positions @ row)[order]
    assert (np.diff(depth) >= 0).all()


def test_the_material_and_nodes_are_shared_and_do_not_mix_with_those_of_points(
    scene, objects, extension
):
    points = extension("da3_blender.scene.point_nodes")
    material = extension("da3_blender.scene.point_material")
    first = objects.make_splat_object("a", make_cloud(5, 0))
    second = objects.make_splat_object("b", make_cloud(5, 0))
    assert first.modifiers[0].node_group == second.modifiers[0].node_group
    assert points.get_point_nodes() != first.modifiers[0].node_group
    assert material.get_point_material().name.startswith("DA3 Points")
