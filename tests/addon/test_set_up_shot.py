# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shot set up in one click: what is there, what it renders, that it comes once and goes again."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from tests.addon.recording_layout import draw_panel  # noqa: E402 - bpy first
from tests.addon.results import SIZE, write_photo, write_result  # noqa: E402

FRAMES = (11, 12, 13, 14)


def make_cameras():
    """Return (N, 4, 4): a camera 1.5 above the floor that looks down a little and moves on."""
    pitch = np.radians(20)
    c, s = np.cos(pitch), np.sin(pitch)
    w2c = np.tile(np.eye(4), (len(FRAMES), 1, 1))
    for index, pose in enumerate(w2c):
        pose[:3, :3] = [[1, 0, 0], [0, c, -s], [0, s, c]]
        pose[:3, 3] = -pose[:3, :3] @ [0.05 * index, -1.5, 0]
    return w2c


def make_floor_points():
    """Return (M, 3) on the floor y = 0, OpenCV world."""
    random = np.random.default_rng(2)
    return random.uniform((-4, 0, 1), (4, 0, 9), (6000, 3)).astype(np.float32)


@pytest.fixture
def write_shot(tmp_path):
    """Write a result of a numbered sequence; with `depth`, also its depth maps."""

    def write(**parts):
        folder = tmp_path / "shot"
        views = [
            {"name": f"plate.{n:04d}.png", "frame": n, "photo": f"photos/plate.{n:04d}.png"}
            for n in FRAMES
        ]
        points = make_floor_points()
        write_result(
            folder,
            views,
            w2c=make_cameras(),
            points=points,
            count=len(points),
            manifest={"source": {"kind": "sequence", "path": "", "fps": 25.0}},
            **parts,
        )
        for n in FRAMES:
            write_photo(folder / "photos" / f"plate.{n:04d}.png", shade=170 + n)
        return folder

    return write


@pytest.fixture
def write_wall(write_shot):
    """Write a shot whose depth maps show a wall right before the camera."""

    def write():
        depth = np.full((len(FRAMES), SIZE[1], SIZE[0]), 1.0, np.float32)
        return write_shot(
            depth=depth,
            depth_confidence=np.ones_like(depth),
            grid_from_photo=np.tile(np.eye(3), (len(FRAMES), 1, 1)),
        )

    return write


@pytest.fixture
def shot(scene, build, write_shot):
    """A tracked shot in the scene."""
    build(write_shot())
    bpy.ops.ed.undo_push(message="Shot")
    return next(ob for ob in scene.objects if ob.get("da3_role") == "root")


def find_parts(part=None):
    found = [ob for ob in bpy.data.objects if ob.get("da3_role") == "set_up"]
    return [ob for ob in found if part is None or ob.get("da3_part") == part]


def find_tree(scene):
    if hasattr(scene, "compositing_node_group"):
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def count_all():
    names = ("objects", "collections", "meshes", "materials", "lights", "node_groups")
    found = {name: len(getattr(bpy.data, name)) for name in names}
    found["images"] = len([item for item in bpy.data.images if item.source != "VIEWER"])
    tree = find_tree(bpy.context.scene)
    found["nodes"] = 0 if tree is None else len(tree.nodes)
    found["links"] = 0 if tree is None else len(tree.links)
    found["layers"] = len(bpy.context.scene.view_layers)
    return found


def render(scene, path):
    """Return (H, W, 3) display values of the current frame, bottom row first."""
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", 32, False
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    scene.render.dither_intensity = 0
    bpy.ops.render.render(write_still=True)
    return read_picture(path)


def read_picture(path):
    """Return (H, W, 3) display values, bottom row first."""
    image = bpy.data.images.load(str(path))
    pixels = np.empty(4 * SIZE[0] * SIZE[1], np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(SIZE[1], SIZE[0], 4)[..., :3]


def project(ob, scene):
    """Return (M, 2) pixels, from the lower left corner, of an object's vertices."""
    from bpy_extras.object_utils import world_to_camera_view

    bpy.context.view_layer.update()
    places = [ob.matrix_world @ v.co for v in ob.data.vertices]
    shares = [world_to_camera_view(scene, scene.camera, place) for place in places]
    return np.array([(s.x * SIZE[0], s.y * SIZE[1]) for s in shares])


def test_camera_frames_and_size_are_those_of_the_plate(shot, scene):
    scene.camera = None
    scene.render.resolution_x, scene.frame_end, scene.render.fps = 100, 250, 60
    bpy.ops.da3.set_up_shot()
    assert scene.camera.get("da3_role") == "camera"
    assert (scene.render.resolution_x, scene.render.resolution_y) == SIZE
    assert (scene.frame_start, scene.frame_end, scene.render.fps) == (11, 14, 25)
    assert scene.render.film_transparent


def test_objects_stand_on_the_floor_and_are_seen(shot, scene):
    bpy.ops.da3.set_up_shot()
    for part in ("Cube", "Cone"):
        (ob,) = find_parts(part)
        bpy.context.view_layer.update()
        heights = [(ob.matrix_world @ v.co).z for v in ob.data.vertices]
        assert min(heights) == pytest.approx(0, abs=5e-3)
        assert max(heights) > 0.1
        pixels = project(ob, scene)
        assert pixels.min() > 0
        assert (pixels < SIZE).all()
    cube = project(find_parts("Cube")[0], scene)
    assert 0.05 < np.ptp(cube[:, 0]) / SIZE[0] < 0.3


def test_a_second_click_makes_nothing_twice(shot, scene):
    bpy.ops.da3.set_up_shot()
    (cube,) = find_parts("Cube")
    cube.location.x += 0.1
    place, before = cube.matrix_world.copy(), count_all()
    bpy.ops.da3.set_up_shot()
    assert count_all() == before
    bpy.context.view_layer.update()
    assert cube.matrix_basis.translation.x == pytest.approx(cube.location.x)
    assert place != cube.matrix_world  # what the user moved stays moved
    assert scene["da3_set_up"]["whole_tree"] == 1


def test_removing_leaves_the_scene_as_it_was(shot, scene):
    before = count_all()
    bpy.ops.da3.set_up_shot()
    assert count_all() != before
    bpy.ops.da3.remove_set_up()
    assert count_all() == before
    assert not scene.render.film_transparent
    assert [layer.use for layer in scene.view_layers] == [True]
    assert not bpy.ops.da3.remove_set_up.poll()
    assert find_tree(scene) is None


def test_removing_keeps_the_users_objects(shot, scene):
    bpy.ops.da3.set_up_shot()
    mine = bpy.data.objects.new("mine", None)
    bpy.data.collections["CG"].objects.link(mine)
    bpy.ops.da3.remove_set_up()
    assert mine.name in scene.collection.objects


def test_removing_also_works_after_the_reconstruction_is_deleted(shot, scene):
    bpy.ops.da3.set_up_shot()
    for ob in shot.children_recursive:
        if ob.get("da3_role") != "set_up":
            bpy.data.objects.remove(ob)
    assert shot.users <= 2  # collection and parents do not hold it
    bpy.data.objects.remove(shot)
    bpy.ops.da3.remove_set_up()
    assert not find_parts()
    assert len(scene.view_layers) == 1


def test_it_is_one_undo_step(shot, scene):
    before = count_all()
    bpy.ops.da3.set_up_shot()
    bpy.ops.ed.undo_push(message="Set-up")
    bpy.ops.ed.undo()
    assert count_all() == before
    assert len(bpy.context.scene.view_layers) == 1


def test_view_layers_hold_out_and_catch(shot, scene):
    bpy.ops.da3.set_up_shot()
    scene.render.engine = "CYCLES"
    bpy.ops.da3.set_up_shot()
    front, shadow = scene.view_layers["Plate FG"], scene.view_layers["Shadow"]
    assert (front.use, shadow.use, scene.view_layers[0].use) == (True, True, False)
    (catcher,), (holdout,) = find_parts("Shadow Catcher"), find_parts("Holdout")
    assert catcher.is_shadow_catcher
    assert holdout.name in front.objects
    assert holdout.name not in shadow.objects
    assert catcher.name in shadow.objects
    assert catcher.name not in front.objects
    assert not any(ob.get("da3_role") == "points" for ob in front.objects)


def test_other_engines_get_no_shadow_layer_and_say_so(shot, scene, extension):
    scene.render.engine = extension("da3_blender.scene.compat").get_eevee_engine()
    set_up = extension("da3_blender.scene.shot_setup").set_up_shot
    report = set_up(bpy.context, shot, has_test_objects=True)
    assert any("Only Cycles catches shadows" in note for note in report.notes)
    assert not scene.view_layers["Shadow"].use
    scene.render.engine = "CYCLES"
    report = set_up(bpy.context, shot, has_test_objects=True)
    assert not report.notes
    assert scene.view_layers["Shadow"].use


def test_the_render_is_the_plate_with_the_cube_and_its_shadow(shot, scene, tmp_path):
    scene.render.engine = "CYCLES"
    bpy.ops.da3.set_up_shot()
    scene.frame_set(12)
    picture = render(scene, tmp_path / "with.png")
    for part in ("Cube", "Cone", "Sun"):
        for ob in find_parts(part):
            bpy.data.objects.remove(ob)
    empty = render(scene, tmp_path / "without.png")
    plate = read_picture(tmp_path / "shot" / "photos" / "plate.0012.png")
    # without objects it is the plate, within the noise of a catcher and one step of 8 bits
    assert np.abs(empty - plate).max() < 0.02
    changed = np.abs(picture - plate).max(axis=2) > 0.05
    assert 0.005 < changed.mean() < 0.3
    darker = (plate - picture).min(axis=2) > 0.05
    assert darker.any()  # the shadow, and dark checks
    sky = slice(-SIZE[1] // 4, None)
    assert np.abs(picture - plate)[sky].max() < 0.02  # nothing above the horizon


def test_what_is_real_hides_objects_behind_it(scene, build, write_wall, tmp_path):
    """The objects stand behind a wall: the render is the plate again."""
    build(write_wall(), make_mesh=True, mesh_step=2, mesh_drop_percent=0)
    scene.render.engine = "CYCLES"
    bpy.ops.da3.set_up_shot()
    (holdout,) = find_parts("Holdout")
    surface = next(ob for ob in scene.objects if ob.get("da3_role") == "mesh")
    assert holdout.data == surface.data
    scene.frame_set(12)
    for ob in find_parts("Sun"):
        bpy.data.objects.remove(ob)
    picture = render(scene, tmp_path / "hidden.png")
    plate = read_picture(tmp_path / "shot" / "photos" / "plate.0012.png")
    assert np.abs(picture - plate)[4:-4, 4:-4].max() < 0.02


def test_a_rebuild_and_a_second_click_keep_shapes_and_their_grey(scene, build, write_wall):
    folder = write_wall()
    build(folder, make_mesh=True)
    bpy.ops.da3.set_up_shot()
    build(folder, make_mesh=True, mesh_step=3)
    bpy.ops.da3.set_up_shot()
    surface = next(ob for ob in scene.objects if ob.get("da3_role") == "mesh")
    for part in ("Shadow Catcher", "Holdout"):
        (ob,) = find_parts(part)
        assert ob.data == surface.data
        assert [slot.material.name for slot in ob.material_slots] == ["DA3 Catcher"]
    assert surface.material_slots[0].material.name != "DA3 Catcher"


def test_a_surface_that_comes_later_takes_the_place_of_the_floor(scene, build, write_wall):
    folder = write_wall()
    build(folder)
    bpy.ops.da3.set_up_shot()
    assert [ob.data.name for ob in find_parts("Holdout")] == ["DA3 Floor.001"]
    build(folder, make_mesh=True)
    bpy.ops.da3.set_up_shot()
    assert len(find_parts("Holdout")) == len(find_parts("Shadow Catcher")) == 1
    assert "surface" in find_parts("Holdout")[0].name


def test_the_users_own_nodes_stay(shot, scene):
    if hasattr(scene, "compositing_node_group"):
        tree = bpy.data.node_groups.new("mine", "CompositorNodeTree")
        scene.compositing_node_group = tree
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        output = tree.nodes.new("NodeGroupOutput").inputs[0]
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
        output = tree.nodes.new("CompositorNodeComposite").inputs[0]
    blur = tree.nodes.new("CompositorNodeBlur")
    tree.links.new(blur.outputs[0], output)
    bpy.ops.da3.set_up_shot()
    assert find_tree(scene) == tree
    assert output.links[0].from_node == blur
    assert len(tree.nodes) > 2
    bpy.ops.da3.remove_set_up()
    assert len(tree.nodes) == 2
    assert find_tree(scene) == tree


def test_the_panel_offers_removal_only_after_a_set_up(shot, extension):
    panel = extension("panels.matchmove").DA3_PT_matchmove
    assert "da3.remove_set_up" not in draw_panel(panel).operators
    bpy.ops.da3.set_up_shot()
    assert "da3.remove_set_up" in draw_panel(panel).operators
