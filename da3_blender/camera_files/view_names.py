# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names for pictures that have none.

Runs in both processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..contract.camera_file import CameraView


def name_view(view: CameraView) -> str:
    """Return the name of a view's picture, or one made of its frame number."""
    return view.name or f"frame_{view.frame or 0:06d}"
