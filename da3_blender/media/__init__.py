# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The input: photos, image sequences and videos to upright 8-bit sRGB pictures.

Runs in the engine. Start at `opening.open_source`.
"""
