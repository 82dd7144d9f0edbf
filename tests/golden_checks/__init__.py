# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparisons of our engine with recorded reference numbers, one module per kind of fixture.

Runs in the engine's environment; used by `check_golden.py` and by the tests.
"""
