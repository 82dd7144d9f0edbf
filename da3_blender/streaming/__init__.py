# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long sequences: chunks, how they are joined, loops.

Runs in the engine.
"""
