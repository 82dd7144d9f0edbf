# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files for other programs: arrays in, complete files out.

Runs in the engine.
"""
