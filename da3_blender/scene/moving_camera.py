# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key frames of the one camera that moves through a sequence or video.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import bpy
import numpy as np
from mathutils import Matrix

from ..contract import names
from ..contract.cameras import to_blender_lens, to_blender_matrix
from ..contract.rotations import make_continuous, matrix_to_quaternion
from .animation import (
    add_curves,
    find_channelbag,
    fingerprint_curves,
    make_channelbag,
    remove_curves,
)
from .photos import hide_photo, show_moving
from .written import Written

if TYPE_CHECKING:
    from bpy.types import ID, ActionChannelbag, Object
    from numpy.typing import NDArray

    from .reconstruction import Reconstruction
    from .site import Site

_POSE_PATHS: Final = ("location", "rotation_quaternion")
_LENS_PATHS: Final = (("lens", "lens_mm"), ("shift_x", "shift_x"), ("shift_y", "shift_y"))
_PICTURE: Final = "background_images["  # curves that hold a picture begin so


def set_moving_camera(
    ob: Object,
    reconstruction: Reconstruction,
    frames_and_order: tuple[NDArray[np.int64], NDArray[np.int64]],
    site: Site,
    *,
    is_new: bool,
) -> None:
    """Write poses, lens and picture of every frame; keys that the user has edited stay.

    Args:
        ob: camera object of ours.
        reconstruction: has the poses.
        frames_and_order: rising frame numbers, and the views they belong to.
        site: of the build.
        is_new: the object was just made.
    """
    frames, order = frames_and_order
    views = [reconstruction.views[index] for index in order]
    w2c, K = reconstruction.w2c[order], reconstruction.K[order]
    ob[names.PROP_INDEX] = 0
    ob[names.PROP_SIZE] = [views[0].width, views[0].height]
    ob[names.PROP_FRAME] = frames.tolist()
    ob[names.PROP_K] = K.ravel().tolist()
    ob[names.PROP_W2C] = w2c.ravel().tolist()
    record = Written(ob)
    keys = _Keys(ob, _POSE_PATHS, record, "path keys", is_new=is_new)
    if keys.are_ours:
        _animate_pose(ob, keys, frames, to_blender_matrix(w2c))
    else:
        site.notes.append(f"The path of {ob.name} was edited by hand and stays as it is.")
    keys.finish()
    paths = (*(path for path, _ in _LENS_PATHS), _PICTURE)
    lens = _Keys(ob.data, paths, record, "lens keys", is_new=is_new)
    if lens.are_ours:
        _animate_lens(
            ob, lens, frames, [(k, v.width, v.height) for k, v in zip(K, views, strict=True)]
        )
    if not site.options.show_photos:
        hide_photo(ob.data, record)
    elif lens.are_ours:
        show_moving(ob.data, views, frames, record, lambda: lens.get_bag(f"{ob.name} lens"))
    lens.finish()


class _Keys:
    """The curves of some properties of one data-block, as long as only we have written them."""

    def __init__(
        self, block: ID, paths: tuple[str, ...], record: Written, key: str, *, is_new: bool
    ) -> None:
        self._block, self._paths, self._record, self._key = block, paths, record, key
        self._bag = find_channelbag(block)
        known = record.read(key)
        self.are_ours = is_new or known == fingerprint_curves(self._bag, paths)
        if self.are_ours and self._bag is not None:
            remove_curves(self._bag, paths)

    def get_bag(self, name: str) -> ActionChannelbag:
        if self._bag is None:
            self._bag = make_channelbag(self._block, name)
        return self._bag

    def finish(self) -> None:
        """Remember what was written, and leave no empty action."""
        if not self.are_ours:
            return
        self._record.note(self._key, fingerprint_curves(self._bag, self._paths))
        if self._bag is not None and not self._bag.fcurves:
            action = self._block.animation_data.action
            self._block.animation_data_clear()
            if not action.users:
                bpy.data.actions.remove(action)


def _animate_pose(
    ob: Object, keys: _Keys, frames: NDArray[np.int64], matrices: NDArray[np.float64]
) -> None:
    quaternions = make_continuous(matrix_to_quaternion(matrices[:, :3, :3]))
    ob.matrix_basis = Matrix(matrices[0].tolist())
    bag = keys.get_bag(f"{ob.name} path")
    add_curves(bag, "location", frames, matrices[:, :3, 3])
    add_curves(bag, "rotation_quaternion", frames, quaternions)


def _animate_lens(
    ob: Object,
    keys: _Keys,
    frames: NDArray[np.int64],
    cameras: list[tuple[NDArray[np.float64], int, int]],
) -> None:
    lenses = [to_blender_lens(*camera) for camera in cameras]
    for path, field in _LENS_PATHS:
        values = np.array([getattr(lens, field) for lens in lenses])
        setattr(ob.data, path, values[0])
        if np.ptp(values) > 1e-6 * max(1.0, abs(values[0])):
            add_curves(keys.get_bag(f"{ob.name} lens"), path, frames, values)
