# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scene builder is asked to do, and what it answers.

Runs in Blender; plain values only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

POINT_DISPLAYS: Final = ("MESH", "POINTCLOUD")
CAMERA_MODES: Final = ("AUTO", "EACH", "ANIMATED")


@dataclass(frozen=True)
class BuildOptions:
    """Choices that change the scene but not the result on disk.

    Args:
        make_cameras: make camera objects.
        make_points: make the cloud.
        make_mesh: make a mesh of each depth map, with its photo on it.
        mesh_step: every n-th pixel of the depth maps becomes a vertex.
        mesh_drop_percent: share of the least confident depth that makes no surface.
        mesh_cut: surfaces are cut where depth jumps by more than this share.
        update: change the objects of an earlier build of the same input in place of adding.
        keep_edits: geometry that the user has edited is not replaced.
        point_display: MESH (vertices and a modifier, editable) or POINTCLOUD (native object).
        point_size: factor on the radius that closes the cloud without blobs.
        min_confidence: points below are hidden by the modifier; the points stay in the mesh.
        min_views: points on which fewer views agree are hidden by the modifier.
        show_moving: points that move through the scene are shown by the modifier.
        show_photos: put each photo behind its camera.
        camera_mode: EACH photo its own camera, one ANIMATED camera, or AUTO by the input.
        camera_size: factor on the display size of the cameras.
        set_render_size: take the first photo's size for the render, and its camera as active.
        set_frame_range: take the frames and the frame rate of a sequence or video.
        standard_view: use the view transform Standard in a scene that holds nothing else, so
            that colours equal the photos.
    """

    make_cameras: bool = True
    make_points: bool = True
    make_mesh: bool = False
    mesh_step: int = 2
    mesh_drop_percent: float = 20.0
    mesh_cut: float = 0.05
    update: bool = True
    keep_edits: bool = True
    point_display: str = "MESH"
    point_size: float = 1.0
    min_confidence: float = 0.0
    min_views: int = 1
    show_moving: bool = False
    show_photos: bool = True
    camera_mode: str = "AUTO"
    camera_size: float = 1.0
    set_render_size: bool = True
    set_frame_range: bool = True
    standard_view: bool = True


@dataclass(frozen=True)
class BuildReport:
    """What was built.

    Args:
        collection: name of the new collection.
        root: name of the root empty.
        cameras: number of camera objects.
        frames: number of poses; more than `cameras` when one camera is animated.
        points: number of points.
        photos: number of poses that have a photo behind them.
        meshes: number of surfaces.
        splats: number of Gaussians.
        is_update: objects of an earlier build were changed.
        centre: of cameras and points without outliers, Blender's world.
        size: diagonal of the box around them, scene units.
        seconds: time it took.
        notes: sentences that the user should read.
    """

    collection: str
    root: str
    cameras: int
    frames: int
    points: int
    photos: int
    meshes: int
    splats: int
    is_update: bool
    centre: tuple[float, float, float]
    size: float
    seconds: float
    notes: tuple[str, ...]
