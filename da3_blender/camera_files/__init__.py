# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras in the files of other programs: COLMAP, nerfstudio, Nuke; each from and to a CameraFile.

Runs in both processes.
"""

from __future__ import annotations

from .detection import detect_and_read

__all__ = ["detect_and_read"]
