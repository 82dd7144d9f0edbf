# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera flights through a reconstruction: which way, and how fast.

Runs in both processes.
"""
