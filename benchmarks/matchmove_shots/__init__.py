# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shots with known cameras, stand-ins and solvers for them, and how far pinned things slip.

`scenery`, `rendering`, `render_shots`, `blender_tracks` and `test_object` run under the bpy wheel,
the rest in the engine's environment or, with numpy alone, in both.
"""
