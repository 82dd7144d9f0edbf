# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small sunlit courtyard, built from numbers alone: the subject of the sample photos.

Runs under the bpy wheel.
"""
