# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps of a run are called.

Runs in the engine.
"""

from __future__ import annotations

from typing import Final

STAGE_READ: Final = "Reading the input"
STAGE_CHECK: Final = "Looking at the photos"
STAGE_KEYFRAMES: Final = "Choosing keyframes"
STAGE_PHOTOS: Final = "Preparing photos"
STAGE_NETWORK: Final = "Estimating depth"
STAGE_BETWEEN: Final = "Posing the frames between"
STAGE_CLOUD: Final = "Making points"
STAGE_WRITE: Final = "Writing the result"
