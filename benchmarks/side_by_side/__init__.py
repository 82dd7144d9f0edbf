# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upstream's package and our engine side by side: what both sides do, gates, cases, the table.

Runs in the environment `benchmark`; used by `vs_upstream.py`.
"""
