# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a results folder to a collection: root, cameras, photos, points, meshes, scene settings.

Runs in Blender. What an earlier build of the same input has made is updated in place.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import numpy as np

from ..contract.cameras import to_blender_points
from ..contract.errors import EngineError, ErrorCode
from ..contract.views import SourceKind
from .build_options import CAMERA_MODES, POINT_DISPLAYS, BuildReport
from .camera_objects import make_animated_camera, make_cameras, order_frames
from .depth_meshes import make_meshes
from .extent import measure_extent
from .lookup import find_root_of_input
from .moving_surface import make_moving_surface
from .network_splats import make_network_splats
from .points import make_points
from .reconstruction import read_reconstruction
from .render_setup import match_render_to_camera, set_timeline, use_standard_view
from .rollback import Rollback
from .root import make_root, update_root
from .site import Site
from .written import Written

if TYPE_CHECKING:
    from collections.abc import Collection

    from bpy.types import Context, Object

    from ..contract.result_folder import Result
    from .build_options import BuildOptions
    from .reconstruction import Reconstruction

_log = logging.getLogger(__name__)
# Below this the picture moves by less than a pixel over 2000 pixels.
_SAME_PLACE = 1e-6
_SAME_ASPECT = 5e-4
_SETUP = "scene"


def build_scene(
    context: Context,
    result: Result,
    options: BuildOptions,
    only: Collection[str] = (),
    target: Object | None = None,
) -> BuildReport:
    """Build one result in the context's scene.

    Objects of an earlier build of this result, or of the same input, are updated: what the user
    has changed on them stays. Otherwise there is a new collection, named after the result. The
    operator makes one undo step of it. After a failure the scene is as it was.

    Args:
        context: its scene and view layer are used; in object mode.
        result: from `load_result`.
        options: what to make of it.
        only: names of views; cameras and meshes of others are not touched. Empty means all.
        target: root to update; None finds it by the result and the input, where that is wanted.

    Raises:
        EngineError: RESULT_BROKEN; SETTINGS_INVALID; OUT_OF_MEMORY.
    """
    began_s = time.perf_counter()
    _check(options)
    reconstruction = read_reconstruction(result)
    extent = measure_extent(reconstruction)
    known = target or _find_earlier(context, reconstruction, options)
    try:
        with Rollback(context.scene, context.view_layer):
            root = known or make_root(context, reconstruction, extent)
            site = Site(root, options, extent, frozenset(only))
            cameras, photos = _build_cameras(reconstruction, site)
            meshes = 0
            if options.make_mesh:
                frames = _list_frames(reconstruction, options)
                if frames is None:
                    meshes = make_meshes(reconstruction, site)
                else:
                    meshes = make_moving_surface(reconstruction, site, frames)
            if not len(reconstruction.points):
                site.notes.append("The result has no points.")
            elif options.make_points:
                make_points(context, reconstruction, site, _list_frames(reconstruction, options))
            splats = make_network_splats(reconstruction, site, context.view_layer)
            _set_up_scene(context, reconstruction, site, cameras)
            if known is None:
                _select_only(context, root)
    except MemoryError as error:
        count = len(reconstruction.points)
        raise EngineError(
            ErrorCode.OUT_OF_MEMORY,
            f"There is not enough memory for {count} points.",
            f"Set Max Points below {max(1, count // 2)} and run again.",
        ) from error
    for change in site.later:
        change()
    update_root(root, reconstruction)
    context.view_layer.update()
    for change in site.last:
        change()
    x, y, z = to_blender_points(np.array(extent.centre)).tolist()
    report = BuildReport(
        collection=root.users_collection[0].name,
        root=root.name,
        cameras=len(cameras),
        frames=len(reconstruction.views),
        points=len(reconstruction.points) if options.make_points else 0,
        photos=photos,
        meshes=meshes,
        splats=0 if splats is None else reconstruction.splats.count,
        is_update=known is not None,
        centre=(x, y, z),
        size=extent.size,
        seconds=time.perf_counter() - began_s,
        notes=(*reconstruction.notes, *site.notes),
    )
    _log.info("built %s", report)
    return report


def _find_earlier(
    context: Context, reconstruction: Reconstruction, options: BuildOptions
) -> Object | None:
    """Return the root of an earlier run of the same input that is to be updated, if any."""
    if not options.update:
        return None
    folder = str(reconstruction.folder)
    root = find_root_of_input(context.scene, folder, reconstruction.input_key)
    if root is not None and reconstruction.facts["has_known_cameras"] and is_moved(root):
        return None  # the new one must lie among the cameras that it was made for
    return root


def is_moved(root: Object) -> bool:
    """Tell whether a root is anywhere but where it was made."""
    difference = np.array(root.matrix_world) - np.eye(4)
    return bool(np.abs(difference).max() > _SAME_PLACE)


def _check(options: BuildOptions) -> None:
    for value, allowed in (
        (options.point_display, POINT_DISPLAYS),
        (options.camera_mode, CAMERA_MODES),
    ):
        if value not in allowed:
            raise EngineError(
                ErrorCode.SETTINGS_INVALID,
                f"{value!r} is not one of {', '.join(allowed)}.",
                "Change the setting and build again.",
            )


def _is_animated(reconstruction: Reconstruction, options: BuildOptions) -> bool:
    if options.camera_mode == "AUTO":
        return reconstruction.kind is not SourceKind.PHOTOS
    return options.camera_mode == "ANIMATED"


def _list_frames(reconstruction: Reconstruction, options: BuildOptions) -> dict[str, int] | None:
    """Return the frame of each view where one camera moves, else None."""
    if not _is_animated(reconstruction, options):
        return None
    frames, order = order_frames(reconstruction)
    named = zip(order.tolist(), frames.tolist(), strict=True)
    return {reconstruction.views[index].name: frame for index, frame in named}


def _build_cameras(reconstruction: Reconstruction, site: Site) -> tuple[list[Object], int]:
    if not site.options.make_cameras:
        return [], 0
    if _is_animated(reconstruction, site.options):
        camera, photos = make_animated_camera(reconstruction, site)
        cameras = [camera]
        _note_changing_aspect(reconstruction, site)
    else:
        cameras, photos = make_cameras(reconstruction, site)
    missing = len(reconstruction.views) - photos
    if site.options.show_photos and missing:
        example = next((v.photo for v in reconstruction.views if not v.photo.is_file()), None)
        reason = f"{example} is gone" if example else "the files are not numbered like the frames"
        site.notes.append(f"{missing} cameras have no photo behind them: {reason}.")
    return cameras, photos


def _note_changing_aspect(reconstruction: Reconstruction, site: Site) -> None:
    ratios = reconstruction.K[:, 0, 0] / reconstruction.K[:, 1, 1]
    error = float(np.abs(ratios / ratios[0] - 1).max())
    if error >= _SAME_ASPECT:
        site.notes.append(
            f"The pixel aspect changes by {100 * error:.2g} % over the frames; "
            "Blender shows that of the first frame. Square pixels avoid this."
        )


def _set_up_scene(
    context: Context, reconstruction: Reconstruction, site: Site, cameras: list[Object]
) -> None:
    """Set render size, time line and view transform; only once, they are the user's then."""
    scene, options = context.scene, site.options
    record = Written(site.root)
    if cameras and options.set_render_size and not record.knows(f"{_SETUP} render"):
        match_render_to_camera(scene, cameras[0])
        record.note(f"{_SETUP} render", 1)
        sizes = {(view.width, view.height) for view in reconstruction.views}
        if len(sizes) > 1:
            site.notes.append(
                f"The photos have {len(sizes)} sizes; "
                "Look Through sets the render size of each camera."
            )
    moves = reconstruction.kind is not SourceKind.PHOTOS or _is_animated(reconstruction, options)
    if options.set_frame_range and moves and not record.knows(f"{_SETUP} frames"):
        frames, _ = order_frames(reconstruction)
        set_timeline(scene, int(frames[0]), int(frames[-1]), reconstruction.fps)
        record.note(f"{_SETUP} frames", 1)
    if options.standard_view and use_standard_view(scene):
        site.notes.append("The view transform is Standard, so colours are those of the photos.")


def _select_only(context: Context, root: Object) -> None:
    layer = context.view_layer
    layer.update()  # the layer learns of new objects only now
    for ob in list(layer.objects.selected):
        ob.select_set(state=False, view_layer=layer)
    # A collection that is excluded from the view layer hides its children from it.
    if root.name in layer.objects:
        root.select_set(state=True, view_layer=layer)
        layer.objects.active = root
    layer.update()
