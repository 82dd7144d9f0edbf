# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The installer: makes, checks, repairs and removes the engine's environment.

Runs as a process of its own, started by Blender's side with Blender's Python, or with any Python
3.11 or later: standard library and contract only. It ends when its stdin ends.
"""
