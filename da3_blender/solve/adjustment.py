# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundle adjustment of cameras, lenses and points with COLMAP's Ceres problem.

Runs in COLMAP's child process of the engine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pycolmap

from ..contract.cameras import invert_rigid
from ..contract.rotations import find_nearest_rotation
from ..contract.similarity import Sim3

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..contract.lens import Lens
    from .depth_priors import DepthPriors
    from .pose_priors import PosePriors
    from .tracks import Tracks

_DENSE_UP_TO: Final = 60  # views; above, sparse factors of the normal equations are cheaper
_SPARSE_UP_TO: Final = 1000
_MOST_ITERATIONS: Final = 60
# The change of the cost, as a share, at which a round is over.
_ENOUGH: Final = 1e-6
# COLMAP's own, and more where points of a turning camera, whose distance nothing tells, leave no
# finite number. Up to 0.1 it changes the variance of focal lengths by a few percent (measured).
_DAMPINGS: Final = (1e-8, 3e-2)


@dataclass(frozen=True)
class TrackedScene:
    """Cameras of N views, and the M points of their tracks.

    Args:
        w2c: (N, 4, 4) float64, OpenCV.
        lenses: G of them.
        lens_of_view: (N,) index into `lenses`.
        points: (M, 3) float64, world.
        tracks: who saw them, and where.
    """

    w2c: NDArray[np.float64]
    lenses: tuple[Lens, ...]
    lens_of_view: NDArray[np.int64]
    points: NDArray[np.float64]
    tracks: Tracks

    def project(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return where the photos should show the tracks: (L, 2) pixels, and (L,) depth."""
        tracks = self.tracks
        pose = self.w2c[tracks.view]
        local = np.einsum("lij,lj->li", pose[:, :3, :3], self.points[tracks.point])
        local += pose[:, :3, 3]
        pixels = np.empty((len(local), 2))
        with np.errstate(divide="ignore", invalid="ignore"):
            flat = local[:, :2] / local[:, 2:]
        for number, lens in enumerate(self.lenses):
            mine = self.lens_of_view[tracks.view] == number
            K = lens.K
            pixels[mine] = lens.pinhole_to_photo(flat[mine] @ K[:2, :2].T + K[:2, 2])
        return pixels, local[:, 2]

    def measure_errors(self) -> NDArray[np.float64]:
        """Return the (L,) reprojection errors in pixels; infinite behind a camera."""
        pixels, z = self.project()
        error = np.linalg.norm(pixels - self.tracks.px, axis=1)
        return np.where((z > 0) & np.isfinite(error), error, np.inf)

    def cast_rays(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return centre and unit direction of each observation's ray, (L, 3) in the world."""
        tracks = self.tracks
        local = np.ones((len(tracks.px), 3))
        for number, lens in enumerate(self.lenses):
            mine = self.lens_of_view[tracks.view] == number
            K = lens.K
            pinhole = lens.photo_to_pinhole(tracks.px[mine])
            local[mine, :2] = (pinhole - K[:2, 2]) / [K[0, 0], K[1, 1]]
        rotation = self.w2c[:, :3, :3]
        centre = -np.einsum("nji,nj->ni", rotation, self.w2c[:, :3, 3])
        ray = np.einsum("lji,lj->li", rotation[tracks.view], local)
        ray /= np.linalg.norm(ray, axis=1, keepdims=True)
        return centre[tracks.view], ray

    def take(self, kept: NDArray[np.bool_]) -> TrackedScene:
        """Return the scene with some observations; points seen by one view only are gone."""
        left = self.tracks.take(kept)
        return replace(self, points=self.points[self.tracks.find_lasting(kept)], tracks=left)

    def with_active(self, kept: NDArray[np.bool_], active: TrackedScene) -> TrackedScene:
        """Return the scene with the cameras and points of a part that `take` gave."""
        points = self.points.copy()
        points[self.tracks.find_lasting(kept)] = active.points
        return replace(self, w2c=active.w2c, lenses=active.lenses, points=points)

    def turned_back(self, reference_w2c: NDArray[np.float64]) -> TrackedScene:
        """Return the scene turned and shifted so that its cameras lie where others do, on average.

        Args:
            reference_w2c: (N, 4, 4), OpenCV.
        """
        seen = np.unique(self.tracks.view)
        own, other = invert_rigid(self.w2c[seen]), invert_rigid(reference_w2c[seen])
        back = find_nearest_rotation(
            (other[:, :3, :3] @ np.swapaxes(own[:, :3, :3], 1, 2)).sum(axis=0)
        )
        shift = (other[:, :3, 3] - own[:, :3, 3] @ back.T).mean(axis=0)
        world = Sim3(1.0, back, shift)
        return replace(
            self, w2c=world.apply_to_w2c(self.w2c), points=world.apply_to_points(self.points)
        )


class Freedom(NamedTuple):
    """What an adjustment may change, besides points and poses.

    Args:
        focal: focal lengths.
        distortion: of all lenses.
        principal_point: of all lenses.
    """

    focal: bool
    distortion: bool
    principal_point: bool = False


class Adjusted(NamedTuple):
    """An adjusted scene, and the standard deviation of each lens's fx where it was asked for."""

    scene: TrackedScene
    focal_sigma_px: list[float | None]


def adjust(
    scene: TrackedScene,
    freedom: Freedom,
    loss_px: float,
    priors: tuple[DepthPriors | None, PosePriors | None] = (None, None),
    *,
    wants_sigma: bool = False,
) -> Adjusted:
    """Move cameras, lenses and points to where the tracks are seen.

    Args:
        scene: to start from.
        freedom: what may change.
        loss_px: scale of the Cauchy loss: larger errors count less and less.
        priors: soft ties of points to a known depth, and of cameras to expected places. Without
            any, one camera and the size of the scene are held.
        wants_sigma: also tell how sure the focal lengths are.

    Raises:
        RuntimeError: the problem cannot be solved at all.
    """
    depth_priors, pose_priors = priors
    model = build_model(scene, pose_priors)
    config = pycolmap.BundleAdjustmentConfig()
    for view in np.unique(scene.tracks.view).tolist():
        config.add_image(view + 1)
    if depth_priors is not None:
        depth_priors.add_to(model, config)
    if pose_priors is not None:
        pose_priors.add_to(model, config, len(scene.w2c) + 1)
        for number in range(1, len(scene.lenses) + 1):
            config.set_constant_cam_intrinsics(len(scene.lenses) + number)
    if depth_priors is None or not depth_priors.is_absolute:
        config.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    options = _make_options(len(scene.w2c), freedom, loss_px)
    adjuster = pycolmap.create_default_ceres_bundle_adjuster(options, config, model)
    summary = adjuster.solve()
    if not summary.is_solution_usable():
        message = f"bundle adjustment found nothing: {summary.brief_report()}"
        raise RuntimeError(message)
    adjusted = _read_model(scene, model)
    sigma: list[float | None] = [None] * len(scene.lenses)
    if wants_sigma and freedom.focal:
        sigma = _measure_sigma(adjusted, options, depth_priors)
    return Adjusted(adjusted, sigma)


def build_model(
    scene: TrackedScene, pose_priors: PosePriors | None = None
) -> pycolmap.Reconstruction:
    """Return a model with image and frame i + 1 for view i, point i + 1 for point i.

    Args:
        scene: cameras and points.
        pose_priors: then frames that need it have a second image, N + i + 1, of a coarse camera.
    """
    model = pycolmap.Reconstruction()
    count = len(scene.lenses)
    for number, lens in enumerate(scene.lenses, 1):
        camera = pycolmap.Camera(
            camera_id=number,
            model=lens.model,
            width=lens.width,
            height=lens.height,
            params=list(lens.params),
        )
        camera.has_prior_focal_length = True
        if pose_priors is None:
            model.add_camera_with_trivial_rig(camera)
            continue
        coarse = pose_priors.make_camera(count + number)
        model.add_camera(camera)
        model.add_camera(coarse)
        rig = pycolmap.Rig(rig_id=number)
        rig.add_ref_sensor(camera.sensor_id)
        rig.add_sensor(coarse.sensor_id, pycolmap.Rigid3d())
        model.add_rig(rig)
    tracks = scene.tracks
    order = np.argsort(tracks.view, kind="stable")
    first = np.searchsorted(tracks.view[order], np.arange(len(scene.w2c) + 1))
    slot = np.empty(len(order), np.int64)  # place of an observation in its image
    for view, pose in enumerate(scene.w2c):
        mine = order[first[view] : first[view + 1]]
        slot[mine] = np.arange(len(mine))
        lens = int(scene.lens_of_view[view]) + 1
        image = pycolmap.Image(
            name=f"{view:06d}", keypoints=tracks.px[mine], camera_id=lens, image_id=view + 1
        )
        if pose_priors is None:
            model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pose[:3]))
            continue
        second = pycolmap.Image(
            name=f"coarse_{view:06d}",
            keypoints=pose_priors.see_anchors(),
            camera_id=count + lens,
            image_id=len(scene.w2c) + view + 1,
        )
        looks = [image, second] if pose_priors.needy[view] else [image]
        frame = pycolmap.Frame(frame_id=view + 1, rig_id=lens)
        frame.rig_from_world = pycolmap.Rigid3d(pose[:3])
        for each in looks:
            frame.add_data_id(each.data_id)
            each.frame_id = view + 1
        model.add_frame(frame)
        for each in looks:
            model.add_image(each)
        model.register_frame(view + 1)
    _add_points(model, scene, slot)
    return model


def _add_points(
    model: pycolmap.Reconstruction, scene: TrackedScene, slot: NDArray[np.int64]
) -> None:
    tracks = scene.tracks
    order = np.argsort(tracks.point, kind="stable")
    first = np.searchsorted(tracks.point[order], np.arange(tracks.count + 1))
    view, place = (tracks.view[order] + 1).tolist(), slot[order].tolist()
    for point, xyz in enumerate(scene.points):
        track = pycolmap.Track()
        for at in range(first[point], first[point + 1]):
            track.add_element(view[at], place[at])
        model.add_point3D_with_id(point + 1, pycolmap.Point3D(xyz=xyz, track=track))


def _make_options(views: int, freedom: Freedom, loss_px: float) -> pycolmap.BundleAdjustmentOptions:
    options = pycolmap.BundleAdjustmentOptions()
    options.refine_focal_length = freedom.focal
    options.refine_extra_params = freedom.distortion
    options.refine_principal_point = freedom.principal_point
    options.refine_sensor_from_rig = False
    options.print_summary = False
    ceres = options.ceres
    ceres.loss_function_type = pycolmap.LossFunctionType.CAUCHY
    ceres.loss_function_scale = loss_px
    # The images that stand for priors must not count: they are constant.
    ceres.auto_select_solver_type = False
    solver = ceres.solver_options
    kinds = type(solver.linear_solver_type)
    solver.linear_solver_type = (
        kinds.DENSE_SCHUR
        if views <= _DENSE_UP_TO
        else kinds.SPARSE_SCHUR
        if views <= _SPARSE_UP_TO
        else kinds.ITERATIVE_SCHUR
    )
    if views > _SPARSE_UP_TO:
        solver.preconditioner_type = type(solver.preconditioner_type).SCHUR_JACOBI
    solver.max_num_iterations = _MOST_ITERATIONS
    solver.function_tolerance = _ENOUGH
    return options


def _read_model(scene: TrackedScene, model: pycolmap.Reconstruction) -> TrackedScene:
    w2c = scene.w2c.copy()
    for view in range(len(w2c)):
        w2c[view, :3] = model.image(view + 1).cam_from_world().matrix()
    lenses = tuple(
        replace(lens, params=tuple(float(value) for value in model.camera(number).params))
        for number, lens in enumerate(scene.lenses, 1)
    )
    points = np.array([model.point3D(n + 1).xyz for n in range(len(scene.points))])
    return replace(scene, w2c=w2c, lenses=lenses, points=points.reshape(-1, 3))


def _measure_sigma(
    scene: TrackedScene,
    options: pycolmap.BundleAdjustmentOptions,
    depth_priors: DepthPriors | None,
) -> list[float | None]:
    """Return the standard deviation of fx of each lens, None where it cannot be told.

    COLMAP's covariance is that of errors of one pixel; the true ones are measured. It knows no
    cameras with a second look, so that the problem is put once more, without expected poses.
    """
    model = build_model(scene)
    config = pycolmap.BundleAdjustmentConfig()
    for view in np.unique(scene.tracks.view).tolist():
        config.add_image(view + 1)
    if depth_priors is not None:
        depth_priors.add_to(model, config)
    if depth_priors is None or not depth_priors.is_absolute:
        config.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    adjuster = pycolmap.create_default_ceres_bundle_adjuster(options, config, model)
    spread = measure_spread(scene.measure_errors())
    sigma: list[float | None] = []
    for damping in _DAMPINGS:
        wish = pycolmap.BACovarianceOptions(damping=damping)
        found = pycolmap.estimate_ba_covariance(wish, model, adjuster)
        sigma = []
        for number in range(1, len(scene.lenses) + 1):
            params = model.camera(number).params
            covariance = None if found is None else found.get_other_params_cov(params)
            variance = np.inf if covariance is None else float(covariance[0, 0])
            sigma.append(spread * variance**0.5 if 0 < variance < np.inf else None)
        if None not in sigma:
            break
    return sigma


def measure_spread(error: NDArray[np.float64]) -> float:
    """Return the standard deviation of errors in x or y, from the median of their length.

    The length of a pair of normal deviates has the median 1.1774.
    """
    finite = error[np.isfinite(error)]
    return float(np.median(finite)) / 1.1774 if len(finite) else float("inf")
