# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the objects of ours again: by their role and their root, never by name.

Runs in Blender; cheap enough for a panel that is drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import bpy

from ..contract import names

if TYPE_CHECKING:
    from bpy.types import Context, Object, Scene

RESULTS_FOLDER: Final = "da3_results"  # beside a saved .blend


def list_roots(scene: Scene) -> list[Object]:
    """Return the roots of the reconstructions in a scene."""
    return [ob for ob in scene.objects if ob.get(names.PROP_ROLE) == names.ROLE_ROOT]


def find_root(context: Context) -> Object | None:
    """Return the reconstruction that the user means.

    It is that of the active object, else that of the scene's camera, else the newest one.
    """
    for start in (context.active_object, context.scene.camera):
        ob = start
        while ob is not None:
            if ob.get(names.PROP_ROLE) == names.ROLE_ROOT:
                return ob
            ob = ob.parent
    roots = list_roots(context.scene)
    return roots[-1] if roots else None


def find_root_of_input(scene: Scene, folder: str, key: str) -> Object | None:
    """Return the root that a result was built for before.

    Args:
        scene: to look in.
        folder: results folder; the best evidence.
        key: of the input, from `make_input_key`; "" knows nothing.
    """
    roots = list_roots(scene)
    same = [root for root in roots if root.get(names.PROP_RESULT) == folder]
    if not same and key:
        same = [root for root in roots if root.get(names.PROP_INPUT) == key]
    return same[-1] if same else None


def locate_result(root: Object) -> Path:
    """Return the results folder of a root, also where it has moved together with the .blend.

    Looks at the disk; the folder may still be gone.
    """
    stored = Path(bpy.path.abspath(str(root.get(names.PROP_RESULT, ""))))
    if stored.is_dir() or not bpy.data.filepath:
        return stored
    beside = Path(bpy.data.filepath).parent
    for place in (beside / RESULTS_FOLDER / stored.name, beside / stored.name):
        if place.is_dir():
            return place
    return stored


def list_parts(root: Object, role: str) -> list[Object]:
    """Return the objects of one role below a root, also where the user has put them deeper."""
    return [ob for ob in root.children_recursive if ob.get(names.PROP_ROLE) == role]


def list_cameras(root: Object) -> list[Object]:
    """Return the cameras below a root, in the order of the result."""
    return sorted(
        list_parts(root, names.ROLE_CAMERA), key=lambda ob: int(ob.get(names.PROP_INDEX, 0))
    )
