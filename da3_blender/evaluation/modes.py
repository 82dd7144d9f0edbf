# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be measured.

Runs in the engine.
"""

from __future__ import annotations

from typing import Final

# mode -> whether the network is given the true cameras
MODES: Final[dict[str, bool]] = {
    "pose": False,
    "depth": False,
    "temporal": False,
    "recon_unposed": False,
    "depth_posed": True,
    "recon_posed": True,
}
DEFAULT_MODES: Final = ("pose", "depth")
