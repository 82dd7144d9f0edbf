# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ties points softly to the depth that a network says.

Runs in COLMAP's child process of the engine. Where cameras hardly move, pictures do not say how far
things are: any depth explains them, and an adjustment drifts. The network's depth is then the best
there is. COLMAP's problem knows reprojection errors only, so that a tie is one more observation: a
camera that never moves stands aside of the point and sees it move along its ray, scaled so that
one pixel of its picture is one standard deviation of the depth. Up and down that camera is blind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pycolmap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .adjustment import TrackedScene
    from .refine_start import RefineStart

_ASIDE_FOCAL: Final = 1000.0
_BLIND: Final = 1e-6  # share of that focal length across the ray
_SIDE: Final = 2  # pixels of a picture that nobody looks at
_MOST_PRIORS: Final = 3000
# Errors of a depth map go together over large parts of a picture: more points than this of one view
# tell nothing new, and share the weight.
_INDEPENDENT: Final = 30
_FIRST_SIGMA: Final = 0.1  # relative error of the depth before anything is known about it
_LEAST_SIGMA: Final = 0.01
_FEWEST_TO_TELL: Final = 50
_GUESS_SIGMA: Final = 0.5
_WEAK_ANGLE: Final = 0.01
_SURE_ANGLE: Final = 0.035  # radians between the outermost rays, at which points tell their depth


@dataclass(frozen=True)
class DepthPriors:
    """P ties.

    Args:
        point: (P,) of the scene.
        place: (P, 3) where each should be, world.
        ray: (P, 3) unit directions along which it may be elsewhere.
        sigma: (P,) standard deviations along the ray, units of the world.
        is_absolute: they are so many and so sure that they say where the world is.
    """

    point: NDArray[np.int64]
    place: NDArray[np.float64]
    ray: NDArray[np.float64]
    sigma: NDArray[np.float64]
    is_absolute: bool = True

    def add_to(
        self, model: pycolmap.Reconstruction, config: pycolmap.BundleAdjustmentConfig
    ) -> None:
        """Put the cameras that stand aside into a model, and hold them."""
        camera_id = max(model.cameras) + 1
        params = [_ASIDE_FOCAL, _ASIDE_FOCAL * _BLIND, 0.0, 0.0]
        model.add_camera_with_trivial_rig(
            pycolmap.Camera(
                camera_id=camera_id, model="PINHOLE", width=_SIDE, height=_SIDE, params=params
            )
        )
        config.set_constant_cam_intrinsics(camera_id)
        number = max(model.images)
        for w2c, point in zip(self._stand_aside(), self.point.tolist(), strict=True):
            number += 1
            image = pycolmap.Image(
                name=f"depth_{number:06d}",
                keypoints=np.zeros((1, 2)),
                camera_id=camera_id,
                image_id=number,
            )
            model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(w2c))
            model.add_observation(point + 1, pycolmap.TrackElement(number, 0))
            config.add_image(number)
            config.set_constant_rig_from_world_pose(number)

    def _stand_aside(self) -> NDArray[np.float64]:
        """Return (P, 3, 4) world-to-camera: x along the ray, the point's place straight ahead."""
        helper = np.where(np.abs(self.ray[:, :1]) < 0.5, [[1.0, 0, 0]], [[0, 1.0, 0]])  # noqa: PLR2004
        forward = np.cross(self.ray, helper)
        forward /= np.linalg.norm(forward, axis=1, keepdims=True)
        down = np.cross(forward, self.ray)
        rotation = np.stack([self.ray, down, forward], axis=1)
        # one sigma along the ray is one pixel: focal * sigma / distance = 1
        centre = self.place - forward * (_ASIDE_FOCAL * self.sigma)[:, None]
        shift = -np.einsum("pij,pj->pi", rotation, centre)
        return np.concatenate([rotation, shift[:, :, None]], axis=2)


def make_priors(
    scene: TrackedScene, start: RefineStart, sigma: float | None, seed: int
) -> DepthPriors | None:
    """Tie points to the depth maps of the views that see them.

    Args:
        scene: as it is now.
        start: has the depth maps.
        sigma: relative standard deviation of the depth, None if nobody knows yet.
        seed: of the choice among many points.

    Returns:
        The ties. Without any depth maps only points whose rays are nearly parallel are held,
        weakly, where they are. None where there is nothing to tie.
    """
    tracks = scene.tracks
    known, z = _compare(scene, start)
    good = np.isfinite(known) & (z > 0)
    if start.depth is None:
        # nobody knows, so that points which nothing places stay about where they are
        weak = measure_angles(scene) < _WEAK_ANGLE
        known, sigma, good = z, _GUESS_SIGMA, weak[tracks.point] & (z > 0)
    if not good.any():
        return None
    log_ratio, middle = _take_middle(tracks.point[good], np.log(known[good] / z[good]))
    reference = np.flatnonzero(good)[middle]
    if len(reference) > _MOST_PRIORS:
        some = np.random.default_rng(seed).choice(len(reference), _MOST_PRIORS, replace=False)
        some.sort()
        reference, log_ratio = reference[some], log_ratio[some]
    point, view = tracks.point[reference], tracks.view[reference]
    pose = scene.w2c[view]
    centre = -np.einsum("pji,pj->pi", pose[:, :3, :3], pose[:, :3, 3])
    offset = scene.points[point] - centre
    length = np.linalg.norm(offset, axis=1)
    ray = offset / length[:, None]
    # The medians of the ratios, because some depth maps have a point on the wrong side of an edge.
    distance = length * np.exp(log_ratio)
    crowd = np.bincount(view, minlength=len(scene.w2c))[view]
    relative = (sigma or _FIRST_SIGMA) * np.sqrt(np.maximum(crowd / _INDEPENDENT, 1.0))
    place = centre + ray * distance[:, None]
    is_absolute = start.depth is not None and len(point) >= _FEWEST_TO_TELL
    return DepthPriors(point, place, ray, relative * distance, is_absolute)


def measure_sigma(scene: TrackedScene, start: RefineStart) -> float | None:
    """Return how far the depth maps are off, at points that the pictures place well.

    The common factor of a view counts as an error, too.

    Returns:
        The relative standard deviation, from the median; None where too few points tell.
    """
    known, z = _compare(scene, start)
    good = np.isfinite(known) & (z > 0)
    good &= measure_angles(scene)[scene.tracks.point] > _SURE_ANGLE
    if good.sum() < _FEWEST_TO_TELL:
        return None
    off = np.abs(np.log(known[good] / z[good]))
    return max(_LEAST_SIGMA, 1.4826 * float(np.median(off)))


def measure_angles(scene: TrackedScene) -> NDArray[np.float64]:
    """Return for each point the angle between rays of its track, (M,) radians.

    It is twice the largest angle to the mean ray: nearly that between the outermost ones.
    """
    tracks = scene.tracks
    pose = scene.w2c
    centre = -np.einsum("nji,nj->ni", pose[:, :3, :3], pose[:, :3, 3])
    ray = scene.points[tracks.point] - centre[tracks.view]
    ray /= np.maximum(np.linalg.norm(ray, axis=1, keepdims=True), 1e-12)
    mean = np.stack(
        [np.bincount(tracks.point, ray[:, axis], tracks.count) for axis in range(3)], axis=1
    )
    mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
    off = np.linalg.norm(ray - mean[tracks.point], axis=1)
    largest = np.zeros(tracks.count)
    np.maximum.at(largest, tracks.point, off)
    return 4 * np.arcsin(np.clip(largest / 2, 0, 1))


def _compare(
    scene: TrackedScene, start: RefineStart
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return for each observation the depth that the map says, and that of the point; (L,) each."""
    tracks = scene.tracks
    _, z = scene.project()
    known = np.full(len(z), np.nan)
    for view in range(len(scene.w2c)):
        mine = tracks.view == view
        known[mine] = start.look_up_depth(view, tracks.px[mine])
    return known, z


def _take_middle(
    group: NDArray[np.int64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the (lower) median of each group in the order of groups, and where it stands."""
    order = np.lexsort((values, group))
    _, begin, count = np.unique(group[order], return_index=True, return_counts=True)
    middle = order[begin + (count - 1) // 2]
    return values[middle], middle
