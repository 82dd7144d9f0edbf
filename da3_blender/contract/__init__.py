# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender's side and the engine agree on: types, settings, messages, files, cameras.

Runs in both processes, so it needs the standard library and numpy only.
"""
