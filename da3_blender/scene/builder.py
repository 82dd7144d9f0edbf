# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a results folder to a collection: root, cameras, photos, points, scene settings.

Runs in Blender.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import bpy
import numpy as np

from ..contract import names
from ..contract.cameras import to_blender_points
from ..contract.errors import EngineError, ErrorCode
from ..contract.views import SourceKind
from .build_options import CAMERA_MODES, POINT_DISPLAYS, BuildReport
from .camera_objects import make_animated_camera, make_cameras, order_frames
from .extent import measure_extent
from .points import make_points
from .reconstruction import read_reconstruction
from .render_setup import match_render_to_camera, set_timeline, use_standard_view
from .rollback import Rollback

if TYPE_CHECKING:
    from bpy.types import Context, Object

    from ..contract.result_folder import Result
    from .build_options import BuildOptions
    from .extent import Extent
    from .reconstruction import Reconstruction

_log = logging.getLogger(__name__)
# Below this the picture moves by less than a pixel over 2000 pixels.
_SAME_ASPECT = 5e-4


def build_scene(context: Context, result: Result, options: BuildOptions) -> BuildReport:
    """Build one result in the context's scene, in a new collection named after it.

    The operator makes one undo step of it. After a failure the scene is as it was.

    Args:
        context: its scene and view layer are used; in object mode.
        result: from `load_result`.
        options: what to make of it.

    Raises:
        EngineError: RESULT_BROKEN; SETTINGS_INVALID; OUT_OF_MEMORY.
    """
    began_s = time.perf_counter()
    _check(options)
    reconstruction = read_reconstruction(result)
    extent = measure_extent(reconstruction)
    try:
        with Rollback(context.scene, context.view_layer):
            root = _make_root(context, reconstruction, extent)
            cameras, photos, notes = _build_cameras(reconstruction, options, extent, root)
            if len(reconstruction.points):
                make_points(context, reconstruction, options, extent, root)
            else:
                notes.append("The result has no points.")
            notes += _set_up_scene(context, reconstruction, options, cameras)
            _select_only(context, root)
    except MemoryError as error:
        count = len(reconstruction.points)
        raise EngineError(
            ErrorCode.OUT_OF_MEMORY,
            f"There is not enough memory for {count} points.",
            f"Set Max Points below {max(1, count // 2)} and run again.",
        ) from error
    x, y, z = to_blender_points(np.array(extent.centre)).tolist()
    report = BuildReport(
        collection=root.users_collection[0].name,
        root=root.name,
        cameras=len(cameras),
        frames=len(reconstruction.views),
        points=len(reconstruction.points),
        photos=photos,
        centre=(x, y, z),
        size=extent.size,
        seconds=time.perf_counter() - began_s,
        notes=(*reconstruction.notes, *notes),
    )
    _log.info("built %s", report)
    return report


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


def _make_root(context: Context, reconstruction: Reconstruction, extent: Extent) -> Object:
    collection = bpy.data.collections.new(reconstruction.name)
    context.scene.collection.children.link(collection)
    root = bpy.data.objects.new(reconstruction.name, None)
    root.empty_display_type = "PLAIN_AXES"
    root.empty_display_size = 0.1 * extent.size
    root[names.PROP_ROLE] = names.ROLE_ROOT
    root[names.PROP_RESULT] = str(reconstruction.folder)
    collection.objects.link(root)
    return root


def _is_animated(reconstruction: Reconstruction, options: BuildOptions) -> bool:
    if options.camera_mode == "AUTO":
        return reconstruction.kind is not SourceKind.PHOTOS
    return options.camera_mode == "ANIMATED"


def _build_cameras(
    reconstruction: Reconstruction, options: BuildOptions, extent: Extent, root: Object
) -> tuple[list[Object], int, list[str]]:
    notes: list[str] = []
    if _is_animated(reconstruction, options):
        camera, photos = make_animated_camera(reconstruction, options, extent, root)
        cameras = [camera]
        notes += _note_changing_aspect(reconstruction)
    else:
        cameras, photos = make_cameras(reconstruction, options, extent, root)
    missing = len(reconstruction.views) - photos
    if options.show_photos and missing:
        example = next((v.photo for v in reconstruction.views if not v.photo.is_file()), None)
        reason = f"{example} is gone" if example else "the files are not numbered like the frames"
        notes.append(f"{missing} cameras have no photo behind them: {reason}.")
    return cameras, photos, notes


def _note_changing_aspect(reconstruction: Reconstruction) -> list[str]:
    ratios = reconstruction.K[:, 0, 0] / reconstruction.K[:, 1, 1]
    error = float(np.abs(ratios / ratios[0] - 1).max())
    if error < _SAME_ASPECT:
        return []
    note = (
        f"The pixel aspect changes by {100 * error:.2g} % over the frames; "
        "Blender shows that of the first frame. Square pixels avoid this."
    )
    return [note]


def _set_up_scene(
    context: Context,
    reconstruction: Reconstruction,
    options: BuildOptions,
    cameras: list[Object],
) -> list[str]:
    scene, notes = context.scene, []
    if options.set_render_size:
        match_render_to_camera(scene, cameras[0])
        sizes = {(view.width, view.height) for view in reconstruction.views}
        if len(sizes) > 1:
            notes.append(
                f"The photos have {len(sizes)} sizes; "
                "Look Through sets the render size of each camera."
            )
    moves = reconstruction.kind is not SourceKind.PHOTOS or _is_animated(reconstruction, options)
    if options.set_frame_range and moves:
        frames, _ = order_frames(reconstruction)
        set_timeline(scene, int(frames[0]), int(frames[-1]), reconstruction.fps)
    if options.standard_view and use_standard_view(scene):
        notes.append("The view transform is Standard, so colours are those of the photos.")
    return notes


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
