# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nuke's camera by its documentation, without any code of ours."""

import re

import numpy as np


def project_like_nuke(camera, points, size):
    """Project points of a world with y up by the formula of nukescripts.snap3d.

    Returns (M, 2) pixels from the top left corner.
    """
    tx, ty, tz = camera["translate"]
    rx, ry, rz = np.deg2rad(camera["rotate"])
    around_x = np.array([[1, 0, 0], [0, np.cos(rx), -np.sin(rx)], [0, np.sin(rx), np.cos(rx)]])
    around_y = np.array([[np.cos(ry), 0, np.sin(ry)], [0, 1, 0], [-np.sin(ry), 0, np.cos(ry)]])
    around_z = np.array([[np.cos(rz), -np.sin(rz), 0], [np.sin(rz), np.cos(rz), 0], [0, 0, 1]])
    local = (points - [tx, ty, tz]) @ (around_y @ around_x @ around_z)
    half = size[0] / 2
    distance = size[0] * camera["focal"] / camera["haperture"]
    x = local[:, 0] / -local[:, 2] * distance - camera["win_translate"][0] * half
    y = local[:, 1] / -local[:, 2] * distance - camera["win_translate"][1] * half
    scale = camera["win_scale"]
    return np.stack([half + x / scale[0], size[1] / 2 - y / scale[1]], axis=1)


def read_knob(text, name, frame):
    """Find the numbers of a knob at a frame, by nothing but regular expressions."""
    line = re.search(rf"^ {name} (.*)$", text, re.MULTILINE)[1]
    values = []
    for part in re.findall(r"\{curve ([^}]*)\}|([-+.\de]+)", line.strip()):
        if part[0]:
            values.append(float(re.search(rf"x{frame} (\S+)", part[0])[1]))
        else:
            values.append(float(part[1]))
    return values
