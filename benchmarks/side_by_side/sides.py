# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two engines behind one face each: load a checkpoint, run pictures, prepare photos.

Runs in the benchmark's environment. Heavy libraries are imported by the functions, so that a
probe can time them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch

Array = np.ndarray
REFERENCE_VIEW = "first"
"""The default rule picks another view when a number changes in its last digit."""

LEAST_SIDE = 2 * 504
"""What `pipeline.dense` asks for at the usual resolution of 504."""


class Maps(NamedTuple):
    """What both networks say about N views, for the gate.

    Attributes:
        depth: (N, H, W) float32.
        confidence: (N, H, W) float32.
        w2c: (N, 3, 4) float, OpenCV world-to-camera.
    """

    depth: Array
    confidence: Array
    w2c: Array


class UpstreamSide:
    """The published package.

    Args:
        folder: with model.safetensors and config.json.
        device: "cpu" or "cuda".
    """

    def __init__(self, folder: Path, device: str) -> None:
        from .missing_libraries import stand_in

        stand_in()
        from depth_anything_3.api import DepthAnything3

        self.device = device
        self.api = DepthAnything3.from_pretrained(str(folder)).to(device).eval()

    def run_as_shipped(self, images: Sequence[Array]) -> Maps:
        """Run pictures the way upstream's users do, in the precision that it chooses."""
        result = self.api.inference(list(images), ref_view_strategy=REFERENCE_VIEW)
        return Maps(result.depth, result.conf, result.extrinsics[:, :3])

    def prepare(self, images: Sequence[Array]) -> torch.Tensor:
        """Return (1, N, 3, H, W) float32 on the device, for `run_network`."""
        tensor, _, _ = self.api.input_processor(list(images), None, None)
        return tensor.to(self.device)[None]

    def run_network(self, tensor: torch.Tensor, dtype: torch.dtype | None = None) -> Maps:
        """Run the network alone.

        Args:
            tensor: of `prepare`.
            dtype: of the autocast; None for plain float32.
        """
        import torch

        with torch.inference_mode(), torch.autocast(self.device, dtype, enabled=bool(dtype)):
            result = self.api.model(tensor, None, None, [], ref_view_strategy=REFERENCE_VIEW)
        parts = (result.depth[0], result.depth_conf[0], result.extrinsics[0, :, :3])
        return Maps(*(x.float().cpu().numpy() for x in parts))


class OurSide:
    """This project's engine.

    Args:
        folder: with model.safetensors and config.json.
        device: "cpu" or "cuda".
        precision: of the backbone, one of `inference.precision.PRECISIONS`.
    """

    def __init__(self, folder: Path, device: str, precision: str = "auto") -> None:
        import torch

        from da3_blender.inference.precision import choose_dtype
        from da3_blender.inference.predictor import PredictOptions, Predictor
        from da3_blender.inference.weights import load_network

        place = torch.device(device)
        network, preset = load_network(folder, place, choose_dtype(precision, place))
        self._predictor = Predictor(network, preset, place, precision)
        self._options = PredictOptions(reference_view=REFERENCE_VIEW)

    def run(self, images: Sequence[Array]) -> Maps:
        """Run pictures from pixels to depth and cameras."""
        result = self._predictor.predict(images, self._options)
        return Maps(result.depth, result.confidence, result.w2c[:, :3])


def prepare_like_upstream(paths: Sequence[Path]) -> Array:
    """Return photos as upstream's network input, (N, 3, H, W) float32."""
    from .missing_libraries import stand_in

    stand_in()
    from depth_anything_3.utils.io.input_processor import InputProcessor

    return InputProcessor()([str(path) for path in paths])[0].numpy()


def prepare_like_ours(paths: Sequence[Path], least_side: int = 0) -> Array:
    """Return photos as our network's input: listing, decoding, resizing.

    Args:
        paths: of the photos.
        least_side: JPEG files may be decoded at 1/2, 1/4 or 1/8 as long as the longer side
            keeps this many pixels; 0 decodes all.

    Returns:
        (N, 3, H, W) float32.
    """
    from da3_blender.contract.settings import RunSettings
    from da3_blender.inference.preprocess import prepare_views
    from da3_blender.media import open_source

    source = open_source(RunSettings(inputs=tuple(str(p) for p in paths), output="unused"))
    return prepare_views(pixels for _, pixels in source.iterate(least_side)).tensor


def prepare_like_ours_fast(paths: Sequence[Path]) -> Array:
    """Return photos as a run of ours prepares them, see `pipeline.dense`."""
    return prepare_like_ours(paths, LEAST_SIDE)
