# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Surfaces: each depth map as a grid that is cut where depth jumps, with its photo on it.

Runs in Blender. Meshes that exist get new geometry; modifiers, materials and place stay.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, NamedTuple

import bpy
import numpy as np

from ..contract import names
from ..contract.cameras import to_blender_points
from ..contract.depth_edges import find_whole_quads
from ..contract.projection import unproject
from .fingerprint import is_edited, replace_data, stamp_geometry
from .lookup import list_parts
from .photo_material import get_photo_material

if TYPE_CHECKING:
    from bpy.types import Mesh
    from numpy.typing import NDArray

    from .build_options import BuildOptions
    from .reconstruction import DepthMaps, Reconstruction
    from .site import Site


NO_MAPS: Final = (
    "This result has no depth maps, so there is no mesh: they come from a Depth Anything 3 model."
)
_SAMPLE: Final = 1_000_000  # pixels that tell what confidence is usual


class Grid(NamedTuple):
    """One surface.

    positions: (V, 3) float32 OpenCV world; faces: (F, 4) int32, counter-clockwise from the
    camera; uv: (V, 2) float32, 0..1 from the lower left of the photo.
    """

    positions: NDArray[np.float32]
    faces: NDArray[np.int32]
    uv: NDArray[np.float32]


def make_meshes(reconstruction: Reconstruction, site: Site) -> int:
    """Make or update one mesh for each view that has a depth map; return how many there are."""
    maps = reconstruction.maps
    if maps is None:
        site.notes.append(NO_MAPS)
        return 0
    known = {str(ob.get(names.PROP_IMAGE)): ob for ob in list_parts(site.root, names.ROLE_MESH)}
    least = find_least_confidence(maps, site.options.mesh_drop_percent)
    kept = []
    views = [reconstruction.views[index] for index in maps.views]
    for row, (index, view) in enumerate(zip(maps.views.tolist(), views, strict=True)):
        ob = known.get(view.name)
        if ob is not None and site.only and view.name not in site.only:
            continue
        if ob is not None and site.options.keep_edits and is_edited(ob.data):
            kept.append(ob.name)
            continue
        grid = make_view_grid(reconstruction, row, site.options, least)
        mesh = _make_mesh(reconstruction, index, grid)
        if ob is not None:
            ob[names.PROP_INDEX] = index
            site.later.append(functools.partial(replace_data, ob, mesh))
            continue
        _make_object(view.name, index, mesh, site)
    if kept:
        site.notes.append(
            f"{len(kept)} meshes were edited by hand and stay as they are ({kept[0]})."
        )
    return len(views)


def build_grid(
    depth: NDArray[np.floating],
    cameras: tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]],
    size: tuple[int, int],
    step: int,
    cut: float,
) -> Grid:
    """Turn one depth map into a surface.

    Args:
        depth: (H, W) scene units; values <= 0 or non-finite are holes.
        cameras: K (3, 3) in pixels of the photo, w2c (4, 4), and grid_from_photo (3, 3).
        size: width and height of the photo in pixels.
        step: every n-th row and column is used.
        cut: relative jump of depth that cuts; see `find_whole_quads`.
    """
    K, w2c, grid_from_photo = (np.asarray(matrix, np.float64) for matrix in cameras)
    coarse = np.asarray(depth[::step, ::step], np.float32)
    rows, columns = coarse.shape
    # Every n-th pixel centre, as pixels of a smaller grid.
    smaller = np.array(
        [[1 / step, 0, 0.5 - 0.5 / step], [0, 1 / step, 0.5 - 0.5 / step], [0, 0, 1]]
    )
    coarse_from_photo = smaller @ grid_from_photo
    world = unproject(coarse[None], (coarse_from_photo @ K)[None], w2c[None])[0]
    whole = find_whole_quads(coarse, cut)
    corner = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    faces = np.stack([corner[:-1, :-1], corner[1:, :-1], corner[1:, 1:], corner[:-1, 1:]], axis=-1)[
        whole
    ]
    used, faces = np.unique(faces, return_inverse=True)
    y, x = np.divmod(used, columns)
    pixels = np.stack([x + 0.5, y + 0.5, np.ones(len(used))])  # (3, V)
    photo = np.linalg.inv(coarse_from_photo) @ pixels
    uv = np.stack([photo[0] / size[0], 1 - photo[1] / size[1]], axis=1)
    return Grid(
        world.reshape(-1, 3)[used],
        faces.reshape(-1, 4).astype(np.int32),
        uv.astype(np.float32),
    )


def make_view_grid(
    reconstruction: Reconstruction, row: int, options: BuildOptions, least: float
) -> Grid:
    """Turn one depth map of a result into a surface.

    Args:
        reconstruction: with depth maps.
        row: of the depth map.
        options: `mesh_step` and `mesh_cut`.
        least: less confident pixels become holes.
    """
    maps = reconstruction.maps
    index = int(maps.views[row])
    view = reconstruction.views[index]
    depth = np.array(maps.depth[row], np.float32)
    depth[np.asarray(maps.confidence[row]) < least] = 0
    if maps.sky is not None:
        depth[np.asarray(maps.sky[row])] = 0
    cameras = (reconstruction.K[index], reconstruction.w2c[index], maps.grid_from_photo[row])
    return build_grid(
        depth, cameras, (view.width, view.height), options.mesh_step, options.mesh_cut
    )


def find_least_confidence(maps: DepthMaps, drop_percent: float) -> float:
    """Return the confidence below which the least sure share of all pixels lies."""
    if drop_percent <= 0:
        return -np.inf
    every = max(1, int(np.sqrt(maps.depth.size / _SAMPLE)))
    sample = np.asarray(maps.confidence[:, ::every, ::every])
    valid = np.asarray(maps.depth[:, ::every, ::every]) > 0
    if maps.sky is not None:
        valid &= ~np.asarray(maps.sky[:, ::every, ::every])
    return float(np.percentile(sample[valid], drop_percent)) if valid.any() else -np.inf


def _make_mesh(reconstruction: Reconstruction, index: int, grid: Grid) -> Mesh:
    view = reconstruction.views[index]
    mesh = fill_mesh(f"{view.name} mesh", grid)
    mesh.materials.append(get_photo_material(view))
    stamp_geometry(mesh)
    return mesh


def fill_mesh(name: str, grid: Grid) -> Mesh:
    """Make a mesh of a surface, with its place in the photo as UV map."""
    mesh = bpy.data.meshes.new(name)
    count = len(grid.faces)
    mesh.vertices.add(len(grid.positions))
    positions = to_blender_points(grid.positions)
    mesh.attributes["position"].data.foreach_set(
        "vector", np.ascontiguousarray(positions, np.float32).ravel()
    )
    mesh.loops.add(4 * count)
    mesh.loops.foreach_set("vertex_index", grid.faces.ravel())
    mesh.polygons.add(count)
    mesh.polygons.foreach_set("loop_start", np.arange(0, 4 * count, 4, dtype=np.int32))
    layer = mesh.uv_layers.new(name="photo", do_init=False)
    layer.uv.foreach_set("vector", grid.uv[grid.faces.ravel()].ravel())
    mesh.update(calc_edges=True)
    return mesh


def _make_object(name: str, index: int, mesh: Mesh, site: Site) -> None:
    ob = bpy.data.objects.new(f"{name} mesh", mesh)
    ob[names.PROP_ROLE] = names.ROLE_MESH
    ob[names.PROP_IMAGE] = name
    ob[names.PROP_INDEX] = index
    site.link(ob)
