# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools for splats: floaters, colours, shares, up axes, points, proxies; nothing is lost."""

from dataclasses import replace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import bmesh  # noqa: E402
from mathutils.bvhtree import BVHTree  # noqa: E402

from da3_blender.splats.files import read_splats  # noqa: E402
from da3_blender.splats.harmonics import coefficient_to_colour  # noqa: E402
from da3_blender.splats.recolour import build_colour_matrix, recolour_cloud  # noqa: E402
from tests.addon import splat_scenes as scenes  # noqa: E402
from tests.splat_reference import measure_psnr, render  # noqa: E402


@pytest.fixture
def objects(scene, extension):
    return extension("da3_blender.scene.splat_object")


@pytest.fixture
def read(extension):
    return extension("da3_blender.scene.splat_inputs").read_inputs


@pytest.fixture
def setter(extension):
    compat = extension("da3_blender.scene.compat")
    inputs = extension("da3_blender.scene.splat_inputs")

    def set_input(ob, name, value):
        compat.set_modifier_input(inputs.find_splat_modifier(ob), name, value)
        ob.update_tag()

    return set_input


@pytest.fixture
def add(scene, objects):
    """Give a function that adds a cloud to the scene and selects it alone."""

    def add_cloud(cloud, name="s"):
        ob = objects.make_splat_object(name, cloud)
        scene.collection.objects.link(ob)
        select(ob)
        return ob

    return add_cloud


def select(ob):
    bpy.ops.object.select_all(action="DESELECT")
    ob.select_set(state=True)
    bpy.context.view_layer.objects.active = ob


def export(path):
    bpy.ops.da3.export_splats(filepath=str(path))
    return read_splats(path).cloud


def evaluate(ob):
    bpy.context.view_layer.update()
    return ob.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()


def make_solid_shell(count=600, degree=1):
    return replace(scenes.make_shell(count, degree), opacities=np.full(count, 0.9, np.float32))


def with_floaters(count=600, lonely=9):
    """Give a shell and a few single Gaussians far from it and from each other."""
    cloud = make_solid_shell(count)
    number = np.arange(lonely)
    cloud.positions[:lonely] = np.stack([6 + 3 * number, number % 2, -number], axis=1)
    return cloud


def test_floaters_are_hidden_and_come_back(add, read, tmp_path):
    cloud = with_floaters()
    ob = add(cloud)
    assert bpy.ops.da3.find_floaters(reach=8.0, least=3) == {"FINISHED"}
    assert read(ob)["Min Neighbours"] == 3
    stored = np.array([item.value for item in ob.data.attributes["neighbours"].data])
    assert (stored[:9] == 0).all()
    assert (stored[9:] >= 3).all()
    assert export(tmp_path / "a.ply").count == 591
    assert len(ob.data.vertices) == 600
    # again, after the user has moved one of them to the others
    ob.data.vertices[4].co = ob.data.vertices[50].co
    bpy.ops.da3.find_floaters(reach=8.0, least=3)
    assert export(tmp_path / "b.ply").count == 592
    bpy.ops.da3.find_floaters(reach=8.0, least=10**6)
    with pytest.raises(RuntimeError, match=r"\w"):
        bpy.ops.da3.splats_to_points()


def test_floaters_are_explained_where_there_is_nothing_to_measure(add):
    cloud = make_solid_shell(5)
    cloud.positions[:] = 1
    add(cloud)
    with pytest.raises(RuntimeError, match="at one place"):
        bpy.ops.da3.find_floaters()


COLOURS = {"Tint": (0.9, 0.4, 0.1, 1.0), "Saturation": 0.4, "Brightness": 1.3}
MATRIX = build_colour_matrix(COLOURS["Tint"], COLOURS["Saturation"], COLOURS["Brightness"])


@pytest.mark.parametrize("way", ["viewport", "CYCLES", "EEVEE"])
def test_colours_change_alike_everywhere(scene, add, setter, extension, tmp_path, way):
    cloud = scenes.make_shell(500)
    ob = add(cloud)
    camera = scenes.add_camera(scene)
    try:
        scenes.make_gpu_context(scene)
    except (RuntimeError, SystemError) as error:
        pytest.skip(f"no software OpenGL here: {error}")
    setter(ob, "Display Values", value=True)
    for name, value in COLOURS.items():
        setter(ob, name, value)
    w2c = scenes.look_from(scenes.EYES[1])
    scenes.place(camera, w2c)
    wanted = render(recolour_cloud(cloud, MATRIX), w2c, scenes.K, (scenes.WIDTH, scenes.HEIGHT))
    if way == "viewport":
        drawing = extension("da3_blender.scene.splat_drawing")
        drawing.forget_buffers()
        _, picture = scenes.draw_picture(lambda p, v: drawing.draw_splats([ob], p, v), camera)
        drawing.forget_buffers()
    else:
        extension("da3_blender.scene.splat_files").prepare_cycles(scene)
        name = extension("da3_blender.scene.compat").get_eevee_engine() if way == "EEVEE" else way
        scenes.set_up_render(scene, name, 4)
        picture, _ = scenes.render_picture(scene, tmp_path / "a.exr")
    assert measure_psnr(picture[..., :3], wanted[..., :3]) > 40
    plain = render(cloud, w2c, scenes.K, (scenes.WIDTH, scenes.HEIGHT))
    assert measure_psnr(plain[..., :3], wanted[..., :3]) < 25  # the change is not small


def test_an_export_has_the_colours_that_show(add, setter, tmp_path):
    cloud = scenes.make_shell(50, 2)
    ob = add(cloud)
    for name, value in COLOURS.items():
        setter(ob, name, value)
    wanted = recolour_cloud(cloud, MATRIX)
    assert np.allclose(export(tmp_path / "a.ply").harmonics, wanted.harmonics, atol=1e-5)
    setter(ob, "Degree", 0)
    baked = export(tmp_path / "b.ply")
    assert baked.degree == 0
    assert np.allclose(baked.harmonics, wanted.harmonics[:, :, :1], atol=1e-5)
    bpy.ops.da3.export_splats(filepath=str(tmp_path / "c.ply"), only_shown=False)
    same = read_splats(tmp_path / "c.ply").cloud
    assert np.allclose(same.harmonics, cloud.harmonics, atol=1e-5)


def test_a_share_shows_the_important_ones(add, objects, read, tmp_path):
    cloud = make_solid_shell(200)
    ob = add(cloud)
    bpy.ops.da3.decimate_splats(percentage=25)
    assert read(ob)["Budget"] == 50
    first = cloud.take(objects.rank_by_importance(cloud) < 50)
    assert np.allclose(export(tmp_path / "a.ply").positions, first.positions, atol=1e-5)
    bpy.ops.da3.decimate_splats(percentage=100)
    assert read(ob)["Budget"] == 0
    assert export(tmp_path / "b.ply").count == 200


@pytest.mark.parametrize(
    ("axis", "direction"),
    [
        ("PLUS_Y", (0, 1, 0)),
        ("MINUS_Y", (0, -1, 0)),
        ("PLUS_Z", (0, 0, 1)),
        ("MINUS_Z", (0, 0, -1)),
        ("PLUS_X", (1, 0, 0)),
        ("MINUS_X", (-1, 0, 0)),
    ],
)
def test_up_axes(scene, add, axis, direction):
    parent = bpy.data.objects.new("p", None)
    scene.collection.objects.link(parent)
    parent.rotation_euler = (0.3, 0.2, 0.1)
    ob = add(make_solid_shell(5))
    ob.parent = parent
    ob.location = (3, 2, 1)
    bpy.context.view_layer.update()
    before = ob.matrix_world.copy()
    bpy.ops.ed.undo_push(message="before")
    tip = before.inverted() @ (before.translation + bpy_vector(direction))
    assert bpy.ops.da3.turn_splats(axis=axis) == {"FINISHED"}
    bpy.context.view_layer.update()
    after = ob.matrix_world
    assert np.allclose(after.translation, before.translation, atol=1e-5)
    assert np.allclose(after @ tip - after.translation, (0, 0, 1), atol=1e-5)
    assert after.determinant() == pytest.approx(1, abs=1e-4)


def bpy_vector(values):
    from mathutils import Vector

    return Vector(values)


def test_points_of_what_shows(add, objects, setter):
    cloud = replace(make_solid_shell(300), views=np.arange(300, dtype=np.int32))
    ob = add(cloud)
    ob.location, ob.scale = (1, 2, 3), (2, 2, 2)
    bpy.context.view_layer.update()
    setter(ob, "Budget", 120)
    setter(ob, "Brightness", 0.5)
    assert bpy.ops.da3.splats_to_points() == {"FINISHED"}
    points = bpy.context.active_object
    assert points["da3_role"] == "points"
    assert points.parent is None
    assert points.matrix_world == ob.matrix_world
    shown = objects.rank_by_importance(cloud) < 120
    local = objects.read_splat_mesh(ob.data, 0).take(shown)
    places = np.array([v.co for v in points.data.vertices])
    assert np.allclose(places, local.positions)
    wanted = np.clip(coefficient_to_colour(local.harmonics[:, :, 0]) * 0.5, 0, 1)
    found = np.array([c.color_srgb[:3] for c in points.data.attributes["Col"].data])
    assert np.abs(found - wanted).max() < 0.51 / 255
    views = [item.value for item in points.data.attributes["view"].data]
    assert views == np.flatnonzero(shown).tolist()
    assert evaluated_points(points) == 120
    assert len(ob.data.vertices) == 300


def evaluated_points(ob):
    graph = bpy.context.evaluated_depsgraph_get()
    geometry = ob.evaluated_get(graph).evaluated_geometry()
    return len(geometry.pointcloud.points)


def find_proxy(ob):
    return next(child for child in ob.children if child.get("da3_role") == "proxy")


def is_inside(tree, point):
    """Count surfaces on the way out: an odd number from inside."""
    from mathutils import Vector

    place, direction, crossings = Vector(point), Vector((0.31, 0.17, 0.94)).normalized(), 0
    while True:
        hit, _, _, _ = tree.ray_cast(place, direction)
        if hit is None:
            return crossings % 2 == 1
        crossings += 1
        place = hit + direction * 1e-5


def test_a_proxy_is_closed_and_encloses_what_is_opaque(add, setter):
    cloud = with_floaters(600, 3)
    cloud.opacities[100:200] = 0.1  # faint ones are not in it
    cloud.positions[100:200] += 20
    ob = add(cloud)
    assert bpy.ops.da3.proxy_mesh(collision=True) == {"FINISHED"}
    proxy = find_proxy(ob)
    assert proxy.data == ob.data
    mesh = evaluate(proxy)
    build = bmesh.new()
    build.from_mesh(mesh)
    assert len(build.faces) > 500
    assert all(edge.is_manifold for edge in build.edges)
    assert build.calc_volume(signed=True) > 0
    tree = BVHTree.FromBMesh(build)
    inside = [is_inside(tree, v.co) for v in ob.data.vertices]
    build.free()
    assert all(inside[:100] + inside[200:])
    assert not any(inside[100:200])
    assert [m.type for m in proxy.modifiers] == ["NODES", "COLLISION"]
    bpy.ops.da3.proxy_mesh(collision=False)  # the same one, changed
    assert [m.type for m in find_proxy(ob).modifiers] == ["NODES"]
    assert len(ob.children) == 1


def test_a_proxy_follows_place_limits_crop_and_edits(scene, add, setter):
    ob = add(with_floaters(600, 1))
    bpy.ops.da3.proxy_mesh(resolution=48)
    proxy = find_proxy(ob)
    ob.location = (5, 0, 0)
    bpy.context.view_layer.update()
    assert proxy.matrix_world == ob.matrix_world
    far = max(v.co.x for v in evaluate(proxy).vertices)
    assert far > 6  # the floater
    bpy.ops.da3.find_floaters()
    near = max(v.co.x for v in evaluate(proxy).vertices)
    assert 1.4 < near < 2.2
    bpy.ops.da3.crop_splats()
    box = bpy.context.active_object
    box.location.x = -1
    box.scale = (1, 5, 5)
    assert max(v.co.x for v in evaluate(proxy).vertices) < 0.5
    setter(ob, "Crop", value=False)
    assert max(v.co.x for v in evaluate(proxy).vertices) == pytest.approx(near)
    for vertex in ob.data.vertices:
        vertex.co.x += 10
    ob.data.update()
    # the surface lies on a grid of cells
    assert max(v.co.x for v in evaluate(proxy).vertices) == pytest.approx(near + 10, abs=0.05)
    setter(ob, "Size", 2.0)
    assert max(v.co.x for v in evaluate(proxy).vertices) > near + 10.01


@pytest.mark.parametrize("engine", ["CYCLES", "EEVEE"])
def test_a_proxy_throws_a_shadow_and_is_not_seen(scene, add, extension, tmp_path, engine):
    ob = add(make_solid_shell())
    camera = scenes.add_camera(scene)
    try:
        scenes.make_gpu_context(scene)
    except (RuntimeError, SystemError) as error:
        pytest.skip(f"no software OpenGL here: {error}")
    ob.hide_render = True  # what is left is plane, light and proxy
    bpy.ops.mesh.primitive_plane_add(size=30, location=(0, 0, -2))
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy = 3
    scene.collection.objects.link(sun)
    scenes.place(camera, scenes.look_from((0, -12, -0.01)))
    compat = extension("da3_blender.scene.compat")
    name = compat.get_eevee_engine() if engine == "EEVEE" else engine
    scenes.set_up_render(scene, name, 8)

    def take_picture():
        picture, _ = scenes.render_picture(scene, tmp_path / "a.exr")
        return picture[..., 0]

    select(ob)
    bpy.ops.da3.proxy_mesh(shadow_only=True)
    middle, corner = np.s_[55:65, 75:85], np.s_[:5, :5]
    shadow = take_picture()
    assert shadow[corner].min() > 0.3
    assert shadow[middle].mean() < 0.3 * shadow[corner].mean()
    if engine == "CYCLES":  # EEVEE on software OpenGL takes a while
        bpy.ops.da3.proxy_mesh(shadow_only=False)
        seen = take_picture()  # its lit top lies before the shadow
        assert seen[middle].mean() > 2 * shadow[middle].mean()
        bpy.data.objects.remove(find_proxy(ob))
        bare = take_picture()
        assert bare[middle].mean() > 0.9 * shadow[corner].mean()


def test_cloth_lies_on_a_proxy(scene, add):
    ob = add(make_solid_shell())
    bpy.ops.da3.proxy_mesh(resolution=32, shadow_only=False, collision=True)
    top = max(v.co.z for v in evaluate(find_proxy(ob)).vertices)
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=8, y_subdivisions=8, size=1, location=(0, 0, 2))
    cloth = bpy.context.active_object
    cloth.modifiers.new("Cloth", "CLOTH")
    for frame in range(1, 41):
        scene.frame_set(frame)
    middle = min(np.array([v.co for v in evaluate(cloth).vertices])[:, 2]) + 2
    # without it the cloth would be 10 metres down by now
    assert -0.5 < middle < top + 0.5


def test_an_older_modifier_gets_the_new_inputs_and_keeps_its_settings(add, read, objects, setter):
    ob = add(make_solid_shell(50))
    modifier = ob.modifiers[0]
    older = modifier.node_group.copy()
    for item in list(older.interface.items_tree):
        if item.name in ("Min Neighbours", "Tint", "Saturation"):
            older.interface.remove(item)
    older["da3_version"] = "splats 1"
    modifier.node_group = older
    setter(ob, "Min Opacity", 0.25)
    setter(ob, "Degree", 1)
    material = read(ob)["Material"]
    assert material is not None
    bpy.ops.da3.find_floaters(least=2)
    settings = read(ob)
    assert ob.modifiers[0].node_group != older
    assert settings["Min Neighbours"] == 2
    assert settings["Min Opacity"] == 0.25
    assert settings["Degree"] == 1
    assert settings["Material"] == material
    assert tuple(settings["Tint"]) == (1, 1, 1, 1)


def test_tools_say_what_they_need(scene, add):
    for name in ("find_floaters", "decimate_splats", "turn_splats", "proxy_mesh"):
        with pytest.raises(RuntimeError, match="Select one or more splat objects"):
            getattr(bpy.ops.da3, name)()
    ob = add(make_solid_shell(5))
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(RuntimeError, match="Go to Object Mode"):
        bpy.ops.da3.find_floaters()
    bpy.ops.object.mode_set(mode="OBJECT")
    ob.modifiers.clear()
    with pytest.raises(RuntimeError, match="modifier DA3 Splats was removed"):
        bpy.ops.da3.find_floaters()
