# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How da3-tiny is trained: synthetic worlds, losses, the loop, the export.

Runs in the environment `training`; no part of the extension.
"""
