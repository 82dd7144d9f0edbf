# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clouds of 3D Gaussians and the files that hold them.

Runs in both processes. Everything here speaks the OpenCV world (x right, y down, z forward), as
the files of 3D Gaussian Splatting do; `axes.py` is the way to and from Blender's world.
"""
