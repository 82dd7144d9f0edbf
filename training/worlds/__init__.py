# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic worlds: any number of scenes with exact depth, rays and cameras, from a seed.

Runs in the environment `training`. `views.make_views` is the way in.
"""
