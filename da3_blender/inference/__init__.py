# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From pictures to depth, confidence and cameras: preparation, weights, prediction.

Runs in the engine.
"""
