# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything for computer graphics in a shot, in one go; and the removal of what was made.

Runs in Blender. A second go finds what there is and changes nothing twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import bpy

from ..contract import names
from ..contract.errors import EngineError, ErrorCode
from ..contract.result_folder import load_result
from .camera_objects import is_animated_camera
from .lookup import list_cameras, locate_result
from .photos import find_background
from .plate_compositing import lay_over_plate, remove_plate_nodes
from .render_setup import match_render_to_camera, set_timeline
from .shot_layers import is_ours, make_layers
from .shot_parts import (
    OBJECTS,
    PART,
    list_collections,
    make_collections,
    make_light,
    make_real_shapes,
    make_test_objects,
)
from .shot_place import find_shot_place
from .written import Written

if TYPE_CHECKING:
    from bpy.types import Context, Image, ImageUser, Object, Scene

    from .shot_place import ShotPlace

_CYCLES: Final = "CYCLES"


class ShotReport(NamedTuple):
    """What was set up.

    Attributes:
        text: a sentence about it.
        notes: sentences that the user should read.
    """

    text: str
    notes: tuple[str, ...]


def set_up_shot(context: Context, root: Object, *, has_test_objects: bool) -> ShotReport:
    """Set camera, plate, size, frames, real shapes, view layers and compositor for a shot.

    Args:
        context: of the scene.
        root: of the reconstruction.
        has_test_objects: stand a cube and a cone on the floor, where they were never made.

    Raises:
        EngineError: INPUT_MISMATCH; the reconstruction has no camera.
    """
    scene, notes = context.scene, []
    camera = _choose_camera(context, root)
    match_render_to_camera(scene, camera)
    frames = _set_frames(scene, root, camera, notes)
    plate = _find_plate(camera, notes)
    place = find_shot_place(context, root, camera)
    collections = make_collections(context, root)
    count, shapes = make_real_shapes(root, place, collections)
    if has_test_objects:
        make_test_objects(root, place, collections[OBJECTS])
        if make_light(context, root, place, collections[OBJECTS]):
            notes.append("The scene had no light; a sun was added, turn it as the real one stood.")
    has_shadows = scene.render.engine == _CYCLES
    _set_up_render(context, root, collections, plate, has_shadows=has_shadows, notes=notes)
    if not has_shadows:
        notes.append(
            "Only Cycles catches shadows. In this engine plate, holdout and objects work; choose "
            "Cycles and press Set Up Shot again for shadows."
        )
    context.view_layer.update()
    size = f"{scene.render.resolution_x} x {scene.render.resolution_y}"
    real = "a floor" if shapes == "a floor" else f"{count} {shapes}"
    return ShotReport(
        f"{camera.name}, {size}, {frames}; {real} for shadows and holdout{_tell_floor(place)}",
        tuple(notes),
    )


def remove_set_up(context: Context) -> int:
    """Take away what set-ups have made in a scene, and put its render settings back.

    Camera, size and frames stay: they fit the plate. Objects of the user's in the collection CG
    go to the scene's own collection.

    Returns:
        How many objects were removed.
    """
    scene = context.scene
    count = 0
    for collection in list_collections(scene):
        for ob in list(collection.objects):
            if ob.get(names.PROP_ROLE) == names.ROLE_SET_UP:
                _remove_object(ob)
                count += 1
            elif ob.name not in scene.collection.objects:
                scene.collection.objects.link(ob)
        for child in collection.children:
            if PART not in child:
                scene.collection.children.link(child)
        bpy.data.collections.remove(collection)
    for material in [m for m in bpy.data.materials if PART in m and not m.users]:
        bpy.data.materials.remove(material)
    before = read_set_up(scene)
    if before is not None:
        _put_back(context, before)
    return count


def read_set_up(scene: Scene) -> dict[str, Any] | None:
    """Return what a set-up remembers of the scene before it, None if there is none."""
    stored = scene.get(names.PROP_SET_UP)
    return None if stored is None else stored.to_dict()


def _choose_camera(context: Context, root: Object) -> Object:
    cameras = list_cameras(root)
    if not cameras:
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"{root.name} has no cameras.",
            "Turn Cameras on under Make, and press Rebuild.",
        )
    animated = [ob for ob in cameras if is_animated_camera(ob)]
    meant = [ob for ob in (context.active_object, context.scene.camera) if ob in cameras]
    return (animated or meant or cameras)[0]


def _set_frames(scene: Scene, root: Object, camera: Object, notes: list[str]) -> str:
    """Set frame range and rate; return them in words."""
    if not is_animated_camera(camera):
        return "one picture"
    numbers = [int(frame) for frame in camera[names.PROP_FRAME]]
    fps = None
    try:
        fps = load_result(locate_result(root)).manifest.get("source", {}).get("fps")
    except EngineError:
        notes.append("The results folder is gone, so the frame rate stays as it is.")
    set_timeline(scene, min(numbers), max(numbers), float(fps) if fps else None)
    rate = scene.render.fps / scene.render.fps_base
    return f"frames {scene.frame_start} to {scene.frame_end} at {rate:.4g} per second"


def _find_plate(camera: Object, notes: list[str]) -> tuple[Image, ImageUser] | None:
    """Show the picture behind the camera, and return it."""
    background = find_background(camera.data, Written(camera))
    if background is None:
        background = next((b for b in camera.data.background_images if b.image), None)
    if background is None:
        notes.append(
            "No picture is behind the camera. Turn Show Photos on, press Rebuild, and set up again."
        )
        return None
    camera.data.show_background_images = background.show_background_image = True
    return background.image, background.image_user


def _set_up_render(
    context: Context,
    root: Object,
    collections: dict[str, bpy.types.Collection],
    plate: tuple[Image, ImageUser] | None,
    *,
    has_shadows: bool,
    notes: list[str],
) -> None:
    scene = context.scene
    before = read_set_up(scene)
    stored = {
        "film_transparent": int(scene.render.film_transparent),
        "use_compositing": int(scene.render.use_compositing),
    }
    layers = make_layers(scene, root, collections, has_shadows=has_shadows)
    scene.render.film_transparent = True
    is_new, is_shown = lay_over_plate(scene, plate, has_shadows=has_shadows)
    if before is None:
        scene[names.PROP_SET_UP] = {**stored, "layers": layers, "whole_tree": int(is_new)}
    if not is_shown:
        notes.append(
            "The compositor's output shows your own nodes; connect the last Alpha Over to them."
        )


def _tell_floor(place: ShotPlace) -> str:
    if not place.share:
        return ". No floor was found; objects stand at the lowest points"
    return f"; {100 * place.share:.0f} % of the points are on the floor"


def _remove_object(ob: Object) -> None:
    data = ob.data
    bpy.data.objects.remove(ob)
    if data is not None and not data.users:
        bpy.data.batch_remove([data])


def _put_back(context: Context, before: dict[str, Any]) -> None:
    scene = context.scene
    scene.render.film_transparent = bool(before["film_transparent"])
    scene.render.use_compositing = bool(before["use_compositing"])
    remove_plate_nodes(scene, is_whole_tree=bool(before["whole_tree"]))
    for layer in [item for item in scene.view_layers if is_ours(item)]:
        scene.view_layers.remove(layer)
    for name in before["layers"]:
        if name in scene.view_layers:
            scene.view_layers[name].use = True
    del scene[names.PROP_SET_UP]
