# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth Anything 3 for Blender: engine, client and scene builder, one package per idea.

Runs in both processes; importing this module does nothing.
"""
