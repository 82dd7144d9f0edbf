# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The photographer's walk: fourteen places on an arc, and what the camera is there in numbers.

Runs under the bpy wheel. Formulas: handbook, section 4.
"""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix, Vector

Array = np.ndarray
SENSOR_MM = 36.0
LENS_MM = 28.0
FIRST_DEGREES, LAST_DEGREES = -97.0, 5.0
TARGET = np.array([-0.75, 0.8, 0.98])
WORLD_TO_BLENDER = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
CAMERA_FLIP = np.diag([1.0, -1.0, -1.0, 1.0])


def plan_walk(views: int, seed: int) -> list[Matrix]:
    """Plan the walk, unsteady as by hand.

    Args:
        views: How many places.
        seed: Of the unsteadiness.

    Returns:
        One camera-to-world matrix a view, Blender axes, metres.
    """
    rng = np.random.default_rng(seed)
    pitch = (LAST_DEGREES - FIRST_DEGREES) / max(views - 1, 1)
    angle = np.radians(
        np.linspace(FIRST_DEGREES, LAST_DEGREES, views) + rng.uniform(-0.11, 0.11, views) * pitch
    )
    part = np.linspace(0, 1, views)
    radius = 4.95 + 0.3 * np.sin(5.2 * part + 0.4) + rng.normal(0, 0.06, views)
    height = 1.72 + 0.42 * np.sin(7.0 * part + 0.5) + rng.normal(0, 0.05, views)
    places = []
    for one in range(views):
        eye = Vector(
            (
                TARGET[0] + radius[one] * np.cos(angle[one]),
                TARGET[1] + radius[one] * np.sin(angle[one]),
                height[one],
            )
        )
        target = Vector(TARGET + rng.normal(0, 0.09, 3))
        turn = (eye - target).to_track_quat("Z", "Y").to_matrix() @ Matrix.Rotation(
            rng.normal(0, 0.012), 3, "Z"
        )
        places.append(Matrix.Translation(eye) @ turn.to_4x4())
    return places


def add_camera(scene: bpy.types.Scene) -> bpy.types.Object:
    """Give the scene its one camera."""
    data = bpy.data.cameras.new("camera")
    data.sensor_fit, data.sensor_width, data.lens = "HORIZONTAL", SENSOR_MM, LENS_MM
    camera = bpy.data.objects.new("camera", data)
    scene.collection.objects.link(camera)
    scene.camera = camera
    return camera


def measure_intrinsics(camera: bpy.types.Object, width: int, height: int) -> Array:
    """Read K, (3, 3) float64, in pixels of a width x height picture with square pixels."""
    focal = camera.data.lens / camera.data.sensor_width * width
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])


def measure_extrinsics(camera: bpy.types.Object) -> Array:
    """Read w2c, (4, 4) float64, OpenCV axes: the inverse of B @ inv(w2c) @ diag(1, -1, -1, 1)."""
    c2w = WORLD_TO_BLENDER.T @ np.array(camera.matrix_world) @ CAMERA_FLIP
    return np.linalg.inv(c2w)


def project_points(points: Array, K: Array, w2c: Array) -> Array:
    """Project (M, 3) points in Blender's world to (M, 2) pixels."""
    world = points @ WORLD_TO_BLENDER[:3, :3]  # B maps to Blender; its transpose maps back
    seen = (world @ w2c[:3, :3].T + w2c[:3, 3]) @ K.T
    return seen[:, :2] / seen[:, 2:]
