# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client: starts the worker, talks to it, and knows what became of each job.

Runs in Blender, with the standard library only: no bpy, no torch.
"""
