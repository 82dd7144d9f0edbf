# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker: a background process that runs one job at a time and answers in JSON lines.

Runs in the engine, started as `python -P -s -u -m da3_blender.worker`.
"""
