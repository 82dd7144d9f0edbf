# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From pictures of one scene to depth, confidence and cameras.

Runs in the engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..contract.cameras import invert_rigid
from ..contract.errors import CancelledError, EngineError, ErrorCode
from ..network.any_view import AnyViewNetwork, ForwardOptions, NetworkOutput
from ..network.pose_encoding import encoding_to_cameras
from ..network.reference_view import STRATEGIES
from ..network.work import count_network
from .given_cameras import align_cameras, normalise_cameras
from .out_of_memory import explain_out_of_memory, is_out_of_memory
from .precision import cast_backbone, choose_dtype
from .preprocess import PreparedViews, prepare_views
from .progress import IsCancelled, OnProgress, StepReporter
from .ray_pose import FACTORISATIONS, estimate_cameras_from_rays

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..network.presets import AnyViewPreset

Array = np.ndarray

_VIEWS_PER_CHUNK_ON_CUDA = 4
"""One view leaves a graphics card idle in small heads; more need memory without being faster."""
_ROTATION_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class PredictOptions:
    """What to compute and how.

    Attributes:
        process_resolution: pixels of the side that `resize_method` names.
        resize_method: one of `preprocess.RESIZE_METHODS`.
        reference_view: one of `network.reference_view.STRATEGIES`.
        use_ray_pose: take cameras from the ray maps instead of the camera decoder.
        ray_factorisation: one of `ray_pose.FACTORISATIONS`.
        w2c: (N, 4, 4) or (N, 3, 4), known OpenCV world-to-camera of the views, or None.
        K_original: (N, 3, 3), pixels of the original pictures; needed with `w2c`.
        align_to_input_scale: with known cameras, return them as they are and scale the depth to
            them; otherwise move them to the predicted cameras and leave the depth.
        export_layers: blocks whose features are wanted.
        wants_rays: return the ray maps.
        seed: of the random draws of the pose from rays.
    """

    process_resolution: int = 504
    resize_method: str = "upper_bound_resize"
    reference_view: str = STRATEGIES[0]
    use_ray_pose: bool = False
    ray_factorisation: str = FACTORISATIONS[0]
    w2c: Array | None = None
    K_original: Array | None = None
    align_to_input_scale: bool = True
    export_layers: tuple[int, ...] = ()
    wants_rays: bool = False
    seed: int = 0


class RayMaps(NamedTuple):
    """Rays as predicted, in the network's world, 8/14 of the image size.

    Attributes:
        rays: (N, 8h, 8w, 6) float32, direction (not normalised) and origin.
        confidence: (N, 8h, 8w) float32.
    """

    rays: Array
    confidence: Array


@dataclass(frozen=True, eq=False)
class Prediction:
    """Depth and cameras of one set of views.

    Attributes:
        depth: (N, H, W) float32, along the optical axis, scene units.
        confidence: (N, H, W) float32, above 1, larger is better.
        w2c: (N, 4, 4) float64, OpenCV world-to-camera.
        K: (N, 3, 3) float64, pixels of the H x W grid.
        images: (N, H, W, 3) uint8 sRGB, what the network saw.
        grid_from_original: (N, 3, 3) float64, original pixels to pixels of the grid.
        cropped_share: (N,) float64, share of each original picture outside the grid.
        features: layer -> (N, h, w, C) float32.
        rays: ray maps if they were wanted; never moved to given cameras.
        reference_index: reference view; None with known cameras or fewer than three views.
    """

    depth: Array
    confidence: Array
    w2c: Array
    K: Array
    images: Array
    grid_from_original: Array
    cropped_share: Array
    features: dict[int, Array] = field(default_factory=dict)
    rays: RayMaps | None = None
    reference_index: int | None = None


class Predictor:
    """Runs one network on sets of pictures.

    Args:
        network: loaded weights; its backbone is changed to the chosen precision.
        preset: the network's sizes.
        device: where to compute.
        precision: one of `precision.PRECISIONS`, for the backbone; heads are always float32.

    Raises:
        EngineError: the precision is unknown, or the weights do not fit into memory.
    """

    def __init__(
        self,
        network: AnyViewNetwork,
        preset: AnyViewPreset,
        device: torch.device | str,
        precision: str = "auto",
    ) -> None:
        self.preset = preset
        self.device = torch.device(device)
        self.dtype = choose_dtype(precision, self.device)
        try:
            cast_backbone(network, self.dtype)
            self.network = network.to(self.device).eval()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise EngineError(
                ErrorCode.OUT_OF_MEMORY,
                f"The weights of {preset.name} do not fit into the memory of {self.device}.",
                "Choose a smaller model, or close other programs.",
            ) from error

    def predict(
        self,
        images: Iterable[Array],
        options: PredictOptions | None = None,
        progress: OnProgress = lambda _share: None,
        is_cancelled: IsCancelled = lambda: False,
    ) -> Prediction:
        """Predict depth and cameras; the same input gives the same numbers.

        Args:
            images: N pictures (h, w, 3) uint8 sRGB, any mix of sizes; taken one by one, so a
                generator need not hold them all.
            options: what to compute; None for the defaults.
            progress: called with the finished share, 0 to 1, after each block of the network.
            is_cancelled: polled as often.

        Returns:
            The prediction.

        Raises:
            EngineError: the input or the options are wrong, memory ran out, or the numbers left
                the range of the chosen precision.
            CancelledError: `is_cancelled` said so.
        """
        options = options or PredictOptions()
        self._check(options)
        prepared = prepare_views(images, options.process_resolution, options.resize_method)
        given = _check_given(len(prepared.images), options)
        if is_cancelled():
            raise CancelledError
        K = None if given is None else prepared.grid_from_original @ options.K_original
        try:
            with torch.inference_mode():
                output = self._run(prepared, given, K, options, progress, is_cancelled)
                prediction = self._collect(output, prepared, options)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            size = prepared.images.shape[1:3]
            raise explain_out_of_memory(len(prepared.images), size, self.device) from error
        if given is not None:
            prediction = _apply_given_cameras(
                prediction, given, K, aligns_depth=options.align_to_input_scale
            )
        progress(1.0)
        return prediction

    def _check(self, options: PredictOptions) -> None:
        """Check the options before the pictures are touched."""
        depth = self.preset.backbone.depth
        for name, value, known in (
            ("reference view", options.reference_view, STRATEGIES),
            ("ray factorisation", options.ray_factorisation, FACTORISATIONS),
        ):
            if value not in known:
                msg = f"There is no {name} {value!r}."
                raise _invalid(msg, f"Use one of {', '.join(known)}.")
        for layer in options.export_layers:
            if not 0 <= layer < depth:
                msg = f"{self.preset.name} has no layer {layer}."
                raise _invalid(msg, f"Use 0 to {depth - 1}.")
        if options.w2c is None and options.K_original is not None:
            msg = "There are intrinsics without extrinsics, which the network cannot use."
            raise _invalid(msg, "Give both, or neither.")
        if options.w2c is not None and options.K_original is None:
            msg = "There are extrinsics without intrinsics."
            raise _invalid(msg, "Give both, or neither.")

    def _run(
        self,
        prepared: PreparedViews,
        given: Array | None,
        K: Array | None,
        options: PredictOptions,
        progress: OnProgress,
        is_cancelled: IsCancelled,
    ) -> NetworkOutput:
        wants_rays = options.wants_rays or options.use_ray_pose
        views, height, width = prepared.images.shape[:3]
        total = count_network(self.preset, views, (height, width), with_rays=wants_rays)
        w2c = None if given is None else self._to_tensor(normalise_cameras(given))
        return self.network(
            self._to_tensor(prepared.tensor),
            w2c=w2c,
            K=None if K is None else self._to_tensor(K),
            options=ForwardOptions(
                reference_view=options.reference_view,
                wants_rays=wants_rays,
                export_layers=options.export_layers,
                views_per_chunk=_VIEWS_PER_CHUNK_ON_CUDA if self.device.type == "cuda" else 1,
            ),
            on_step=StepReporter(total, self.device, progress, is_cancelled),
        )

    def _to_tensor(self, array: Array) -> Tensor:
        """Return a float32 tensor on the device with a batch axis in front."""
        return torch.from_numpy(array).to(torch.float32).to(self.device)[None]

    def _collect(
        self, output: NetworkOutput, prepared: PreparedViews, options: PredictOptions
    ) -> Prediction:
        """Bring the result to the processor and drop the batch axis."""
        size = (prepared.images.shape[1], prepared.images.shape[2])
        depth, confidence = output.depth[0].cpu().numpy(), output.confidence[0].cpu().numpy()
        if not (np.isfinite(depth).all() and np.isfinite(confidence).all()):
            raise EngineError(
                ErrorCode.INTERNAL,
                f"The network returned numbers that are not finite ({self.dtype}).",
                "Choose float32 as precision, or download the model again.",
            )
        if options.use_ray_pose:
            cameras = estimate_cameras_from_rays(
                output.rays[0],
                output.ray_confidence[0],
                options.ray_factorisation,
                torch.Generator().manual_seed(options.seed),
            )
            w2c, K = invert_rigid(cameras.c2w.numpy()), cameras.build_intrinsics(size).numpy()
        else:
            w2c, K = encoding_to_cameras(output.pose_encoding[0].cpu().double(), size)
            w2c, K = w2c.numpy(), K.numpy()
        rays = None
        if options.wants_rays:
            rays = RayMaps(output.rays[0].cpu().numpy(), output.ray_confidence[0].cpu().numpy())
        return Prediction(
            depth=depth,
            confidence=confidence,
            w2c=w2c,
            K=K,
            images=prepared.images,
            grid_from_original=prepared.grid_from_original,
            cropped_share=prepared.cropped_share,
            features={layer: x[0].cpu().numpy() for layer, x in output.features.items()},
            rays=rays,
            reference_index=None if output.reference is None else int(output.reference[0]),
        )


def _apply_given_cameras(
    prediction: Prediction, given: Array, K: Array, *, aligns_depth: bool
) -> Prediction:
    """Replace the predicted cameras by the known ones and bring both to one scale."""
    similarity = align_cameras(prediction.w2c, given)
    w2c, depth = given, prediction.depth
    if aligns_depth:
        depth = (depth / similarity.scale).astype(np.float32)
    else:
        w2c = similarity.apply_to_w2c(given)
    return replace(prediction, w2c=w2c, K=K, depth=depth)


def _check_given(views: int, options: PredictOptions) -> Array | None:
    """Return the known cameras (N, 4, 4) float64, or None."""
    if options.w2c is None or options.K_original is None:
        return None
    return _check_cameras(np.asarray(options.w2c), np.asarray(options.K_original), views)


def _check_cameras(w2c: Array, K: Array, views: int) -> Array:
    """Return (N, 4, 4) float64, or say what is wrong with the known cameras."""
    if w2c.shape not in ((views, 4, 4), (views, 3, 4)) or K.shape != (views, 3, 3):
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"There are {views} images, extrinsics {w2c.shape} and intrinsics {K.shape}.",
            f"Give ({views}, 4, 4) and ({views}, 3, 3), in the order of the images.",
        )
    result = np.tile(np.eye(4), (views, 1, 1))
    result[:, :3] = w2c[:, :3]
    rotation = result[:, :3, :3]
    error = np.abs(rotation @ np.swapaxes(rotation, 1, 2) - np.eye(3)).max(axis=(1, 2))
    is_proper = np.isfinite(result).all(axis=(1, 2)) & (error < _ROTATION_TOLERANCE)
    is_proper &= np.linalg.det(np.nan_to_num(rotation)) > 0
    is_lens = np.isfinite(K).all(axis=(1, 2)) & (K[:, 0, 0] > 0) & (K[:, 1, 1] > 0)
    for good, what in ((is_proper, "extrinsics are no rotation"), (is_lens, "focal length is bad")):
        if not good.all():
            raise EngineError(
                ErrorCode.INPUT_MISMATCH,
                f"Camera {int(np.argmin(good))}: the {what}.",
                "Give OpenCV world-to-camera matrices and focal lengths in pixels.",
            )
    return result


def _invalid(message: str, hint: str) -> EngineError:
    return EngineError(ErrorCode.SETTINGS_INVALID, message, hint)
