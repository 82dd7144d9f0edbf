# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has found so far, whoever found it.

Runs in the engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from dataclasses import replace as replace_fields
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..contract.similarity import Sim3, identity_sim3
from ..splats.axes import move_cloud
from .points import Cloud

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..contract.estimates import MeasuredSpeed
    from ..solve import Lens, SparseSolution
    from ..splats.cloud import GaussianCloud


class Dense(NamedTuple):
    """Depth maps of the cameras, on the grid of the network.

    depth, confidence: (D, H, W) float32; grid_from_photo: (D, 3, 3) float64; sky: (D, H, W)
    bool, or None where nobody looked for it; cameras: (D,) ascending, whose maps these are, or
    None where every camera has one.
    """

    depth: NDArray[np.float32]
    confidence: NDArray[np.float32]
    grid_from_photo: NDArray[np.float64]
    sky: NDArray[np.bool_] | None = None
    cameras: NDArray[np.int32] | None = None

    def list_cameras(self) -> NDArray[np.intp]:
        """Return (D,), the camera of each map."""
        if self.cameras is None:
            return np.arange(len(self.depth))
        return self.cameras.astype(np.intp)

    def find_maps(self, cameras: Sequence[int]) -> list[int]:
        """Return the map of each of some cameras, all of which have one."""
        place = {int(camera): row for row, camera in enumerate(self.list_cameras())}
        return [place[camera] for camera in cameras]


class Observations(NamedTuple):
    """Which camera saw which point of the cloud, L times.

    camera: (L,) index into the cameras; point: (L,) index into the cloud.
    """

    camera: NDArray[np.intp]
    point: NDArray[np.intp]


class TrackCloud(NamedTuple):
    """Points that several cameras saw, T of them, and their L observations.

    points: (T, 3) float64 world; colours: (T, 3) uint8 sRGB; error_px: (T,) mean reprojection
    error; camera: (L,) index into the cameras; point: (L,); px: (L, 2) pixels of the photo,
    distorted as it is.
    """

    points: NDArray[np.float64]
    colours: NDArray[np.uint8]
    error_px: NDArray[np.float64]
    camera: NDArray[np.intp]
    point: NDArray[np.intp]
    px: NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """Cameras and a cloud in one world.

    Args:
        indices: the source's views that have a camera, ascending; all lists below follow them.
        w2c: (N, 4, 4) OpenCV world-to-camera.
        K: (N, 3, 3) pixels of the original photo.
        cloud: points in the same world.
        lenses: lenses with their distortion; empty where a network found the cameras.
        lens_of_camera: index into `lenses` per camera, -1 for none.
        residual_px: mean reprojection error per camera, or None.
        observations: who saw the points of a sparse cloud, or None.
        dense: depth maps, or None.
        splats: Gaussians in the same world, or None.
        is_metric: the unit of the world is the metre.
        world: `world_from_solver`.
        photos: file to show per camera.
        solver: name of the way, for people.
        speed: how fast the network was; None where none ran.
        tracks: what refined cameras rest on, or None.
        refinement: plain values that say how well refined cameras hold, or None.
    """

    indices: list[int]
    w2c: NDArray[np.float64]
    K: NDArray[np.float64]
    cloud: Cloud
    lenses: tuple[Lens, ...] = ()
    lens_of_camera: list[int] = field(default_factory=list)
    residual_px: list[float | None] = field(default_factory=list)
    observations: Observations | None = None
    dense: Dense | None = None
    splats: GaussianCloud | None = None
    is_metric: bool = False
    world: Sim3 = field(default_factory=identity_sim3)
    photos: list[str] = field(default_factory=list)
    solver: str = ""
    speed: MeasuredSpeed | None = None
    tracks: TrackCloud | None = None
    refinement: dict[str, Any] | None = None

    def replace(self, **changes: Any) -> Outcome:  # noqa: ANN401 - fields of several types
        """Return a copy with other fields."""
        return replace_fields(self, **changes)

    def lens_per_camera(self) -> list[Lens | None]:
        """Return the lens of every camera, None where it counts as a pinhole."""
        return [self.lenses[lens] if lens >= 0 else None for lens in self.lens_of_camera]

    def moved(self, world_from_solver: Sim3) -> Outcome:
        """Return everything in another world; depth and splats grow with its scale."""
        cloud = self.cloud._replace(
            positions=world_from_solver.apply_to_points(self.cloud.positions)
        )
        dense = self.dense
        if dense is not None:
            dense = dense._replace(depth=dense.depth * np.float32(world_from_solver.scale))
        tracks = self.tracks
        if tracks is not None:
            tracks = tracks._replace(points=world_from_solver.apply_to_points(tracks.points))
        return self.replace(
            tracks=tracks,
            w2c=world_from_solver.apply_to_w2c(self.w2c),
            cloud=cloud,
            dense=dense,
            splats=None if self.splats is None else move_cloud(self.splats, world_from_solver),
            world=world_from_solver,
        )


def outcome_from_sparse(sparse: SparseSolution) -> Outcome:
    """Take the registered views and the points of a COLMAP solution.

    The confidence of a point is the number of views that saw it.
    """
    indices = np.flatnonzero(sparse.registered).tolist()
    camera_of_view = np.full(len(sparse.registered), -1)
    camera_of_view[indices] = np.arange(len(indices))
    lens_of_camera = [int(sparse.lens_of_view[i]) for i in indices]
    cloud = Cloud(
        np.asarray(sparse.points, np.float32),
        sparse.colours,
        np.asarray(sparse.track_length, np.float32),
        np.full(len(sparse.points), -1, np.int32),
        np.minimum(sparse.track_length, np.iinfo(np.uint16).max).astype(np.uint16),
        np.zeros(len(sparse.points), bool),
    )
    return Outcome(
        indices=indices,
        w2c=sparse.w2c[indices],
        K=np.stack([sparse.lenses[lens].K for lens in lens_of_camera]),
        cloud=cloud,
        lenses=tuple(sparse.lenses),
        lens_of_camera=lens_of_camera,
        residual_px=[float(sparse.view_residual_px[i]) for i in indices],
        observations=Observations(
            camera_of_view[sparse.observation_view], sparse.observation_point
        ),
    )
