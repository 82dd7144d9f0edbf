# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How good a reconstruction is: cameras, depth and surfaces against a known truth.

Runs in the engine. `docs/evaluation.md` says what is measured and in which convention. The files
about cameras need numpy alone, so that the demo can use them beside Blender.
"""
