# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Gaussians of a result as a splat object below its root, made or updated.

Runs in Blender. An object that exists gets new Gaussians; its modifiers, settings and place stay.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import bpy

from ..contract import names
from ..splats.result_arrays import NETWORK_BORDER
from .fingerprint import is_edited, replace_data, stamp_geometry
from .lookup import list_parts
from .splat_object import make_splat_object
from .visibility import show_objects

if TYPE_CHECKING:
    from bpy.types import Object, ViewLayer

    from .reconstruction import Reconstruction
    from .site import Site


def make_network_splats(
    reconstruction: Reconstruction, site: Site, layer: ViewLayer
) -> Object | None:
    """Make or update the splats of a result; None where it has none.

    New splats show the same as the points, only better, so the points are switched off.
    """
    cloud = reconstruction.splats
    if cloud is None:
        return None
    known = next(iter(list_parts(site.root, names.ROLE_SPLATS)), None)
    if known is not None and site.options.keep_edits and is_edited(known.data):
        site.notes.append(
            f"{known.name} was edited by hand, so its splats stay as they are. Delete it, or "
            "turn Keep My Edits off, and rebuild for new ones."
        )
        return known
    fresh = make_splat_object(f"{reconstruction.name} splats", cloud, trim_border=NETWORK_BORDER)
    stamp_geometry(fresh.data)
    if known is None:
        site.link(fresh)
        site.last.append(functools.partial(_switch_points_off, site.root, layer))
        return fresh
    site.later.append(functools.partial(_take_over_data, known, fresh))
    return known


def _take_over_data(known: Object, fresh: Object) -> None:
    data = fresh.data
    bpy.data.objects.remove(fresh)
    replace_data(known, data)


def _switch_points_off(root: Object, layer: ViewLayer) -> None:
    points = list_parts(root, names.ROLE_POINTS)
    show_objects(points, layer, is_shown=False)
    for ob in points:
        ob.hide_render = True
