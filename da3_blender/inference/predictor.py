# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From pictures of one scene to depth, confidence and cameras.

Runs in the engine.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..contract.errors import CancelledError, EngineError, ErrorCode
from ..contract.similarity import chain_sim3, invert_sim3
from ..network.any_view import ForwardOptions
from ..network.nested import NestedNetwork
from ..network.presets import NestedPreset, SingleViewPreset
from ..network.reference_view import STRATEGIES
from ..network.single_view import SingleViewNetwork
from ..network.work import count_backbone, count_network
from .collection import collect_any_view, collect_single_view, join_metric
from .compiling import compile_blocks, is_compiler_failure, leave_compiled
from .devices import describe_device
from .given_cameras import (
    align_cameras,
    check_cameras,
    check_intrinsics,
    normalise_cameras,
)
from .out_of_memory import (
    MemoryPlan,
    explain_out_of_memory,
    free_memory,
    is_out_of_memory,
    park_on_host,
    plan_less_memory,
    plan_memory,
)
from .precision import cast_backbone, choose_dtype
from .prediction import Prediction, PredictOptions, RayMaps
from .preprocess import PreparedViews, prepare_views
from .progress import IsCancelled, OnProgress, StepReporter
from .ray_pose import FACTORISATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..contract.estimates import DeviceFacts
    from ..network.presets import Preset
    from .weights import Network

__all__ = ["PredictOptions", "Prediction", "Predictor", "RayMaps"]

Array = np.ndarray

_log = logging.getLogger(__name__)


class Predictor:
    """Runs one network, of whatever kind, on sets of pictures.

    Args:
        network: loaded weights; its backbone is changed to the chosen precision.
        preset: the network's sizes.
        device: where to compute.
        precision: one of `precision.PRECISIONS`, for the backbone; heads are always float32.
        compiles: let torch.compile have the blocks, where it can.

    Attributes:
        last_run: operations and seconds of the network's last finished run, or None.
        compile_trouble: why the blocks are not compiled although that was asked for; "" where
            nobody asked, None where they are.

    Raises:
        EngineError: the precision is unknown, or the weights do not fit into memory.
    """

    def __init__(
        self,
        network: Network,
        preset: Preset,
        device: torch.device | str,
        precision: str = "auto",
        *,
        compiles: bool = False,
    ) -> None:
        self.preset = preset
        self.device = torch.device(device)
        self.dtype = choose_dtype(precision, self.device)
        self.last_run: tuple[float, float] | None = None
        self.compile_trouble: str | None = ""
        cast_backbone(network, self.dtype)
        self.network = network.eval()
        self._put_on_device()
        if compiles:
            self.compile_trouble = compile_blocks(network, self.device) or None

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
        views = len(prepared.images)
        given, K = None, None
        if options.K_original is not None:
            K = prepared.grid_from_original @ check_intrinsics(options.K_original, views)
        if options.w2c is not None:
            given = check_cameras(options.w2c, views)
        if is_cancelled():
            raise CancelledError
        prediction = self._predict_within_memory(
            prepared, (given, K), options, (progress, is_cancelled)
        )
        if given is not None:
            prediction = _apply_given_cameras(
                prediction, given, K, aligns_depth=options.align_to_input_scale
            )
        progress(1.0)
        return prediction

    def _leave_compiler(self, error: Exception) -> bool:
        """Go back to the blocks as they are written if the compiler failed; tell whether it did."""
        if self.compile_trouble is not None or not is_compiler_failure(error):
            return False
        leave_compiled(self.network)
        self.compile_trouble = f"the compiler failed ({str(error).splitlines()[0]})"
        _log.warning("torch.compile failed", exc_info=error)
        return True

    @property
    def precision(self) -> str:
        """Return the number format of the backbone, such as "float32"."""
        return str(self.dtype).removeprefix("torch.")

    def describe_device(self) -> DeviceFacts:
        """Return name and memory of the device."""
        return describe_device(self.device)

    @contextmanager
    def moved_to_host(self) -> Iterator[None]:
        """Lend the device's memory to somebody else: the weights wait in the main memory.

        Raises:
            EngineError: OUT_OF_MEMORY; the weights do not fit back.
        """
        self.network.to("cpu")
        free_memory(self.device)
        try:
            yield
        finally:
            free_memory(self.device)
            self._put_on_device()

    def _put_on_device(self) -> None:
        try:
            self.network.to(self.device)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise EngineError(
                ErrorCode.OUT_OF_MEMORY,
                f"The weights of {self.preset.name} do not fit into the memory of {self.device}.",
                "Choose a smaller model, or close other programs.",
            ) from error

    def _predict_within_memory(
        self,
        prepared: PreparedViews,
        cameras: tuple[Array | None, Array | None],
        options: PredictOptions,
        listeners: tuple[OnProgress, IsCancelled],
    ) -> Prediction:
        """Run the network, with less and less memory at a time until it fits.

        Raises:
            EngineError: OUT_OF_MEMORY; nothing is left that would need less.
        """
        views, size = len(prepared.images), prepared.images.shape[1:3]
        total, backbone = self._count(views, size, options)
        with_rays = options.wants_rays or options.use_ray_pose
        plan = plan_memory(self.preset, views, size, self.device, with_rays=with_rays)
        while True:
            on_step = StepReporter(total, self.device, *listeners)
            began_s = time.perf_counter()
            try:
                with torch.inference_mode():
                    prediction = self._compute(prepared, cameras, options, plan, on_step)
            except (RuntimeError, MemoryError) as error:
                if self._leave_compiler(error):
                    continue
                if not is_out_of_memory(error):
                    raise
                smaller = plan_less_memory(
                    plan, self.device, failed_before_heads=on_step.told < backbone
                )
                if smaller is None:
                    raise explain_out_of_memory(views, size, self.device) from error
                _log.warning("memory ran out with %s, next is %s", plan, smaller)
                plan = smaller
            else:
                self.last_run = (total, time.perf_counter() - began_s)
                return prediction
            free_memory(self.device)  # outside of the handler, which keeps the tensors alive

    def _check(self, options: PredictOptions) -> None:
        """Check the options before the pictures are touched."""
        preset = self.preset
        branch = preset.any_view if isinstance(preset, NestedPreset) else preset
        for name, value, known in (
            ("reference view", options.reference_view, STRATEGIES),
            ("ray factorisation", options.ray_factorisation, FACTORISATIONS),
        ):
            if value not in known:
                msg = f"There is no {name} {value!r}."
                raise _invalid(msg, f"Use one of {', '.join(known)}.")
        depth = branch.backbone.depth
        for layer in options.export_layers:
            if not 0 <= layer < depth:
                msg = f"{preset.name} has no layer {layer}."
                raise _invalid(msg, f"Use 0 to {depth - 1}.")
        if options.w2c is not None and options.K_original is None:
            msg = "There are extrinsics without intrinsics."
            raise _invalid(msg, "Give both, or neither.")
        if isinstance(branch, SingleViewPreset):
            self._check_single_view(options)
            return
        if options.w2c is None and options.K_original is not None:
            msg = "There are intrinsics without extrinsics, which the network cannot use."
            raise _invalid(msg, "Give both, or neither.")
        if options.wants_gaussians and not branch.has_gaussian_head:
            msg = f"{preset.name} makes no Gaussians."
            raise _invalid(msg, "Use da3-giant or da3nested-giant-large.")

    def _check_single_view(self, options: PredictOptions) -> None:
        for wanted, what in (
            (options.w2c is not None, "known extrinsics"),
            (options.use_ray_pose or options.wants_rays, "rays"),
            (options.wants_gaussians, "Gaussians"),
        ):
            if wanted:
                msg = (
                    f"{self.preset.name} looks at each picture by itself: it has no use for {what}."
                )
                raise _invalid(msg, "Use an any-view or the nested model, or leave that out.")

    def _count(
        self, views: int, size: tuple[int, int], options: PredictOptions
    ) -> tuple[float, float]:
        """Return the work that the network will report, and what of it comes before any head."""
        total = count_network(
            self.preset,
            views,
            size,
            with_rays=options.wants_rays or options.use_ray_pose,
            with_gaussians=options.wants_gaussians,
        )
        if isinstance(self.preset, SingleViewPreset):
            return total, 0.0  # all of it runs chunk by chunk
        branch = self.preset.any_view if isinstance(self.preset, NestedPreset) else self.preset
        return total, count_backbone(branch.backbone, views, size)

    def _compute(
        self,
        prepared: PreparedViews,
        cameras: tuple[Array | None, Array | None],
        options: PredictOptions,
        plan: MemoryPlan,
        on_step: StepReporter,
    ) -> Prediction:
        """Run the network and collect its results; cameras are still the predicted ones.

        `cameras` are the known w2c and K or None.
        """
        given, K = cameras
        images = self._to_tensor(prepared.tensor)
        if isinstance(self.network, SingleViewNetwork):
            output = self.network(images, options.export_layers, plan.views_per_chunk, on_step)
            is_metric = self.network.preset.is_metric
            return collect_single_view(output, prepared, K, options, is_metric=is_metric)
        normalised = None if given is None else normalise_cameras(given)
        forward = ForwardOptions(
            reference_view=options.reference_view,
            wants_rays=options.wants_rays or options.use_ray_pose,
            wants_gaussians=options.wants_gaussians,
            export_layers=options.export_layers,
            views_per_chunk=plan.views_per_chunk,
            **self._make_parking(plan),
        )
        known = (None, None)
        if normalised is not None:
            known = (self._to_tensor(normalised), self._to_tensor(K))
        output = self.network(images, *known, forward, on_step)
        if isinstance(self.network, NestedNetwork):
            prediction = collect_any_view(output.any_view, prepared, normalised, options)
            return join_metric(
                prediction, output.metric, K, matches_release=options.matches_release
            )
        return collect_any_view(output, prepared, normalised, options)

    def _make_parking(self, plan: MemoryPlan) -> dict[str, Callable[[Tensor], Tensor]]:
        """Return where the network puts what it does not need for a while."""
        if not plan.parks_on_host:
            return {}
        return {"park": park_on_host, "fetch": lambda x: x.to(self.device, non_blocking=True)}

    def _to_tensor(self, array: Array) -> Tensor:
        """Return a float32 tensor on the device with a batch axis in front."""
        return torch.from_numpy(array).to(torch.float32).to(self.device)[None]


def _apply_given_cameras(
    prediction: Prediction, given: Array, K: Array, *, aligns_depth: bool
) -> Prediction:
    """Replace the predicted cameras by the known ones and bring both to one scale."""
    similarity = align_cameras(prediction.w2c, given)
    if not aligns_depth:
        return replace(prediction, w2c=similarity.apply_to_w2c(given), K=K)
    world, metres = prediction.world_from_gaussians, prediction.metres_per_unit
    if world is not None:
        world = chain_sim3(invert_sim3(similarity), world)
    return replace(
        prediction,
        w2c=given,
        K=K,
        depth=(prediction.depth / similarity.scale).astype(np.float32),
        is_metric=False,
        metres_per_unit=None if metres is None else metres * similarity.scale,
        world_from_gaussians=world,
    )


def _invalid(message: str, hint: str) -> EngineError:
    return EngineError(ErrorCode.SETTINGS_INVALID, message, hint)
