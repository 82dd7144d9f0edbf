# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put everything back when building fails: data-blocks, scene settings, selection.

Runs in Blender.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import bpy

if TYPE_CHECKING:
    from types import TracebackType

    from bpy.types import Scene, ViewLayer

_COLLECTIONS: Final = (
    "objects",
    "collections",
    "cameras",
    "meshes",
    "pointclouds",
    "images",
    "actions",
    "materials",
    "node_groups",
)
_SETTINGS: Final = (
    "camera",
    "frame_start",
    "frame_end",
    "frame_current",
    "render.fps",
    "render.fps_base",
    "render.resolution_x",
    "render.resolution_y",
    "render.resolution_percentage",
    "render.pixel_aspect_x",
    "render.pixel_aspect_y",
    "view_settings.view_transform",
)


class Rollback:
    """A `with` block that leaves no trace if it is left by an exception.

    Args:
        scene: whose settings are put back.
        view_layer: whose selection and active object are put back.
    """

    def __init__(self, scene: Scene, view_layer: ViewLayer) -> None:
        self._scene = scene
        self._view_layer = view_layer
        self._known: set[int] = set()
        self._settings: dict[str, Any] = {}
        self._active: str | None = None
        self._selected: list[str] = []

    def __enter__(self) -> None:
        """Remember what there is."""
        self._known = {item.session_uid for item in _list_ids()}
        self._settings = {path: attrgetter(path)(self._scene) for path in _SETTINGS}
        active = self._view_layer.objects.active
        self._active = active.name if active else None
        self._selected = [ob.name for ob in self._view_layer.objects.selected]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove what is new and put the settings back, only after an exception."""
        if kind is None:
            return
        new = [item for item in _list_ids() if item.session_uid not in self._known]
        bpy.data.batch_remove(new)
        for path, value in self._settings.items():
            owner, _, name = path.rpartition(".")
            setattr(attrgetter(owner)(self._scene) if owner else self._scene, name, value)
        objects = self._view_layer.objects
        for name in self._selected:
            if name in objects:
                objects[name].select_set(state=True, view_layer=self._view_layer)
        objects.active = objects.get(self._active) if self._active else None


def _list_ids() -> list[Any]:
    return [item for name in _COLLECTIONS for item in getattr(bpy.data, name)]
