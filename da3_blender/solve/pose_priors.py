# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ties cameras softly to where a network, or their neighbours, say they are.

Runs in COLMAP's child process of the engine. A view of a plain wall has a handful of points, which
alone would throw its camera about. COLMAP's problem knows reprojection errors only, so that each
camera gets a second, coarse look through the same optical centre: it sees points that never move
where the expected camera would. Its focal length says how much an error of the pose weighs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pycolmap

from ..contract.cameras import invert_rigid
from ..contract.rotations import find_nearest_rotation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .adjustment import TrackedScene

_SIDE: Final = 2  # pixels of a picture that nobody looks at
# Corners of a box before the camera, in depths of the scene: it feels turns and shifts alike.
_ANCHORS: Final = np.array(
    [[x * z, y * z, z] for z in (0.7, 1.4) for x in (-0.5, 0.5) for y in (-0.5, 0.5)]
)
_LOOKS: Final = 16  # at each, because COLMAP refuses points that are seen once
_FIRST_SIGMA: Final = 0.0025  # radians, and shares of the depth: what is known before anything is
_LEAST_SIGMA: Final = 0.0005
_REACH: Final = 4.0  # frames over which the errors of a network stay alike
_SURE_POINTS: Final = 40  # of a view whose place its own points tell
_NEEDY_POINTS: Final = 20  # below so many, its points say too little
_FEW_POINTS: Final = 30  # of the usual view of a shot that tells little
_FEWEST_TO_TELL: Final = 5
_STRAY: Final = 3.0  # times what is usual


@dataclass(frozen=True)
class PosePriors:
    """Where some of N cameras are expected: those whose own points say too little.

    Args:
        w2c: (N, 4, 4) float64, OpenCV.
        needy: (N,) bool, which cameras are tied.
        depth: how far things are from the cameras.
        sigma: standard deviation of the expectation, radians, and shares of the depth.
    """

    w2c: NDArray[np.float64]
    needy: NDArray[np.bool_]
    depth: float
    sigma: float

    @property
    def focal(self) -> float:
        """Focal length of the coarse look, pixels: an error of one sigma costs one pixel in all."""
        return 1 / (self.sigma * np.sqrt(_LOOKS * len(_ANCHORS)))

    def add_to(
        self,
        model: pycolmap.Reconstruction,
        config: pycolmap.BundleAdjustmentConfig,
        first_image: int,
    ) -> None:
        """Let the second images of a model see the points that never move.

        Args:
            model: image `first_image` + i is the coarse look of view i, with as many keypoints as
                there are anchors, all in the middle of nowhere until now.
            config: of the adjustment.
            first_image: number of that of view 0.
        """
        number = max(model.points3D, default=0)
        c2w = invert_rigid(self.w2c)
        for view in np.flatnonzero(self.needy).tolist():
            pose = c2w[view]
            image_id = first_image + view
            for place, xyz in enumerate(_ANCHORS * self.depth @ pose[:3, :3].T + pose[:3, 3]):
                number += 1
                track = pycolmap.Track()
                for look in range(_LOOKS):
                    track.add_element(image_id, place + look * len(_ANCHORS))
                model.add_point3D_with_id(number, pycolmap.Point3D(xyz=xyz, track=track))
                config.add_constant_point(number)
            config.add_image(image_id)

    def make_camera(self, camera_id: int) -> pycolmap.Camera:
        """Return the coarse look as a camera of COLMAP."""
        return pycolmap.Camera(
            camera_id=camera_id,
            model="SIMPLE_PINHOLE",
            width=_SIDE,
            height=_SIDE,
            params=[self.focal, 0.0, 0.0],
        )

    def see_anchors(self) -> NDArray[np.float64]:
        """Return where a camera in its expected place sees the anchors, (16, 2) pixels."""
        return np.tile(_ANCHORS[:, :2] / _ANCHORS[:, 2:] * self.focal, (_LOOKS, 1))


def expect_poses(
    scene: TrackedScene, start_w2c: NDArray[np.float64], *, is_ordered: bool, is_first: bool
) -> PosePriors:
    """Say where cameras are expected: as a network says, corrected as their neighbours were.

    Args:
        scene: as it is now.
        start_w2c: (N, 4, 4) as the network said.
        is_ordered: neighbours in the list are neighbours in time, whose errors are alike.
        is_first: nothing has been refined yet.

    Returns:
        The expectations. How sure they are is measured at views that have many points.
    """
    tracks = scene.tracks
    _, z = scene.project()
    depth = _measure_depth(z)
    seen = np.bincount(tracks.view, minlength=len(start_w2c)).astype(float)
    needy = seen < _NEEDY_POINTS
    if np.median(seen) < _FEW_POINTS:
        needy[:] = True  # a shot of few points: none of its views is safe
    if is_first or not is_ordered:
        return PosePriors(start_w2c, needy, depth, _FIRST_SIGMA)
    sure = np.flatnonzero(seen >= _SURE_POINTS)
    if len(sure) < _FEWEST_TO_TELL:  # no view tells how those around it were wrong
        return PosePriors(start_w2c, needy, depth, _FIRST_SIGMA)
    expected = _correct(start_w2c, scene.w2c, np.minimum(seen, _SURE_POINTS))
    sigma = _measure_sigma(expected[sure], scene.w2c[sure], depth)
    return PosePriors(expected, needy, depth, float(np.clip(sigma, _LEAST_SIGMA, _FIRST_SIGMA)))


def reset_strays(scene: TrackedScene, start_w2c: NDArray[np.float64]) -> TrackedScene:
    """Put back cameras that moved quite differently from their neighbours, in shots of few points.

    Args:
        scene: refined.
        start_w2c: (N, 4, 4) as a network said; its errors change slowly.
    """
    tracks = scene.tracks
    seen = np.bincount(tracks.view, minlength=len(start_w2c)).astype(float)
    expected = _correct(start_w2c, scene.w2c, seen)
    _, z = scene.project()
    depth = _measure_depth(z)
    off = np.maximum(*_measure_difference(expected, scene.w2c, depth))
    limit = max(_STRAY * float(np.median(off)), _FIRST_SIGMA)
    w2c = np.where((off > limit)[:, None, None], expected, scene.w2c)
    return replace(scene, w2c=w2c)


def _correct(
    start: NDArray[np.float64], now: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Move each camera of a start as its neighbours, but not itself, were moved."""
    count = len(start)
    apart = np.abs(np.arange(count)[:, None] - np.arange(count)[None])
    share = weight[None] * np.exp(-apart / _REACH)
    np.fill_diagonal(share, 0)
    share += 1e-12  # where nobody near has any points
    share /= share.sum(axis=1, keepdims=True)
    correction = invert_rigid(now) @ start  # new world from old world, as each camera saw it
    poses = invert_rigid(start)
    # the corrections act on places near the camera, so they are averaged there
    moved = np.einsum("jab,ibc->ijac", correction, poses)
    mean = np.einsum("ij,ijab->iab", share, moved)
    mean[:, :3, :3] = find_nearest_rotation(mean[:, :3, :3])
    return invert_rigid(mean)


def _measure_depth(z: NDArray[np.float64]) -> float:
    ahead = z[np.isfinite(z) & (z > 0)]
    return float(np.median(ahead)) if len(ahead) else 1.0


def _measure_sigma(
    expected: NDArray[np.float64], found: NDArray[np.float64], depth: float
) -> float:
    """Return how far expectations are off, in radians and depths, from the median."""
    # lengths of three normal deviates have the median 1.538
    return float(np.median(_measure_difference(expected, found, depth))) / 1.538


def _measure_difference(
    expected: NDArray[np.float64], found: NDArray[np.float64], depth: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return by how many radians and depths each camera differs, (N,) each."""
    difference = expected @ invert_rigid(found)
    turn = np.linalg.norm(difference[:, :3, :3] - np.eye(3), axis=(1, 2)) / np.sqrt(2)
    shift = np.linalg.norm(difference[:, :3, 3], axis=1) / depth
    return turn, shift
