# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The surfaces of a shot as one object: its modifier shows that of the current frame.

Runs in Blender. An object for each frame of a shot would be thousands of hidden ones; here all
surfaces are one mesh whose faces know their frame, and the moving picture is on it.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import bpy
import numpy as np

from ..contract import names
from .depth_meshes import NO_MAPS, Grid, fill_mesh, find_least_confidence, make_view_grid
from .fingerprint import is_edited, replace_data, stamp_geometry
from .lookup import list_parts
from .photo_material import get_moving_material, get_photo_material
from .photos import count_moving
from .surface_nodes import get_surface_nodes

if TYPE_CHECKING:
    from bpy.types import Mesh, Object
    from numpy.typing import NDArray

    from .reconstruction import Reconstruction
    from .site import Site

MOST_VERTICES: Final = 3_000_000
"""Of all frames: more make playing slow; then each surface gets coarser."""
_ALWAYS: Final = 10_000_000
"""Before the first and after the last frame theirs stay."""


def make_moving_surface(reconstruction: Reconstruction, site: Site, frames: dict[str, int]) -> int:
    """Make or update the one surface of a shot.

    Args:
        reconstruction: with depth maps.
        site: of the build.
        frames: number on the time line for each name of a view.

    Returns:
        The number of frames that have a surface.
    """
    maps = reconstruction.maps
    if maps is None:
        site.notes.append(NO_MAPS)
        return 0
    parts = list_parts(site.root, names.ROLE_MESH)
    known = next((ob for ob in parts if names.PROP_IMAGE not in ob), None)
    if known is not None and site.options.keep_edits and is_edited(known.data):
        site.notes.append(f"{known.name} was edited by hand and stays as it is.")
        return len(maps.views)
    mesh = _make_mesh(reconstruction, site, frames)
    if known is not None:
        site.later.append(functools.partial(replace_data, known, mesh))
        return len(maps.views)
    ob: Object = bpy.data.objects.new(f"{reconstruction.name} surface", mesh)
    ob[names.PROP_ROLE] = names.ROLE_MESH
    site.link(ob)
    modifier = ob.modifiers.new(names.NODES_SURFACE, "NODES")
    modifier.node_group = get_surface_nodes()
    return len(maps.views)


def _make_mesh(reconstruction: Reconstruction, site: Site, frames: dict[str, int]) -> Mesh:
    maps = reconstruction.maps
    views = [reconstruction.views[index] for index in maps.views]
    at = np.array([frames[view.name] for view in views], np.int64)
    order = np.argsort(at, kind="stable")
    options = replace(site.options, mesh_step=_choose_step(maps.depth.shape, site))
    least = find_least_confidence(maps, options.mesh_drop_percent)
    grids = [make_view_grid(reconstruction, int(row), options, least) for row in order]
    mesh = fill_mesh(f"{reconstruction.name} surface", _join(grids))
    until = np.append(at[order][1:], _ALWAYS)
    first = at[order].copy()
    first[0] = -_ALWAYS
    counts = [len(grid.faces) for grid in grids]
    for name, values in ((names.ATTR_FRAME, first), (names.ATTR_FRAME_END, until)):
        attribute = mesh.attributes.new(name, "INT", "FACE")
        attribute.data.foreach_set("value", np.repeat(values, counts).astype(np.int32))
    shown = [views[row] for row in order]
    if count_moving(shown, at[order]):
        mesh.materials.append(get_moving_material(reconstruction.name, shown[0], at[order]))
    else:  # files that are not numbered like the frames
        for view in shown:
            mesh.materials.append(get_photo_material(view))
        places = np.repeat(np.arange(len(shown), dtype=np.int32), counts)
        mesh.polygons.foreach_set("material_index", places)
    stamp_geometry(mesh)
    return mesh


def _choose_step(shape: tuple[int, ...], site: Site) -> int:
    """Return the step between pixels: the user's, or a larger one that all frames have room for."""
    count = int(np.prod(shape))
    step = max(site.options.mesh_step, int(np.ceil((count / MOST_VERTICES) ** 0.5)))
    if step > site.options.mesh_step:
        site.notes.append(
            f"The surfaces of {shape[0]} frames take every {step}th pixel, so that they play."
        )
    return step


def _join(grids: list[Grid]) -> Grid:
    """Put surfaces side by side."""
    begin = np.cumsum([0, *(len(grid.positions) for grid in grids[:-1])])
    faces: list[NDArray[np.int32]] = [
        grid.faces + np.int32(first) for grid, first in zip(grids, begin, strict=True)
    ]
    return Grid(
        np.concatenate([grid.positions for grid in grids]),
        np.concatenate(faces),
        np.concatenate([grid.uv for grid in grids]),
    )
