# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Depth Anything 3 networks in plain PyTorch: tensors in, tensors out.

Runs in the engine.
"""
