# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The input: photos, image sequences and videos as upright 8-bit sRGB pictures.

Runs in the engine.
"""

from .opening import open_source
from .saving import save_photo
from .single_picture import read_picture

__all__ = ["open_source", "read_picture", "save_photo"]
