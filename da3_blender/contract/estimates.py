# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run will cost, before it starts: memory, and time where a speed was measured.

Runs in both processes. The arithmetic is exact (multiplications of the network's matrices and
convolutions, two operations each, as `network/work.py` counts them); time is that arithmetic
over a speed which this machine has shown, so there is none for a machine that never ran.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final, cast

from .models import estimate_memory_bytes, format_gigabytes, get_model

_PATCH: Final = 14


@dataclass(frozen=True)
class DeviceFacts:
    """What the engine says about the device that it computes on.

    Attributes:
        kind: "cuda", "mps" or "cpu".
        name: for people, such as "NVIDIA GeForce RTX 3060"; of a processor with its threads.
        total_bytes: its memory; 0 where the system does not tell.
        free_bytes: of that, what was free when the engine looked.
    """

    kind: str
    name: str
    total_bytes: int
    free_bytes: int

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a message."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> DeviceFacts | None:
        """Read a message; None if it is none of ours."""
        if not isinstance(data, dict):
            return None
        fields = cast("dict[str, Any]", data)
        try:
            return cls(
                str(fields["kind"]),
                str(fields["name"]),
                int(fields["total_bytes"]),
                int(fields["free_bytes"]),
            )
        except (KeyError, TypeError, ValueError):
            return None


@dataclass(frozen=True)
class MeasuredSpeed:
    """How fast a run was; each run with a network leaves one in its manifest and summary.

    Attributes:
        device: `DeviceFacts.name`.
        architecture: `Architecture.name` of the network.
        precision: number format of the backbone, such as "float32".
        flops_per_s: operations of the network per second of wall time.
        other_s_per_view: seconds per photo for everything else: decoding, points, writing.
    """

    device: str
    architecture: str
    precision: str
    flops_per_s: float
    other_s_per_view: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> MeasuredSpeed | None:
        """Read a manifest's entry; None if there is none or it makes no sense."""
        if not isinstance(data, dict):
            return None
        fields = cast("dict[str, Any]", data)
        try:
            speed = cls(
                str(fields["device"]),
                str(fields["architecture"]),
                str(fields["precision"]),
                float(fields["flops_per_s"]),
                float(fields["other_s_per_view"]),
            )
        except (KeyError, TypeError, ValueError):
            return None
        is_sane = 0 < speed.flops_per_s < math.inf and 0 <= speed.other_s_per_view < math.inf
        return speed if is_sane else None

    def fits(self, device: str, model_id: str, precision: str) -> bool:
        """Tell whether this speed says something about a run."""
        architecture = get_model(model_id).architecture.name
        wanted = (device, architecture, precision)
        return (self.device, self.architecture, self.precision) == wanted


@dataclass(frozen=True)
class RunEstimate:
    """What a run will take.

    Attributes:
        memory_bytes: the most memory on the device, see `models.estimate_memory_bytes`.
        seconds: from the first photo to the result; None where no speed is known.
    """

    memory_bytes: int
    seconds: float | None

    def describe(self, views: int, model_id: str, device: DeviceFacts | None = None) -> str:
        """Return a sentence for people."""
        title = get_model(model_id).title
        photos = "1 photo" if views == 1 else f"{views} photos"
        text = f"{photos}, {title}: about {format_gigabytes(self.memory_bytes)}"
        if self.seconds is not None:
            text += f" and {format_duration(self.seconds)}"
        if device is not None and device.total_bytes:
            text += f"; {device.name} has {format_gigabytes(device.total_bytes)}"
            if device.free_bytes < device.total_bytes:
                text += f", {format_gigabytes(device.free_bytes)} of it free"
        return text + "."


@dataclass(frozen=True)
class _Branch:
    """Sizes of one network; the published configurations (see `network/presets.py`).

    Attributes:
        width: channels of a token.
        depth: transformer blocks.
        across: of these, blocks that attend across views.
        ffn_products: channels times matrices of the feed-forward part.
        stages: channels of the head's pyramid.
        features: channels of the head's chain.
        outputs: output stacks at the size of the image.
    """

    width: int
    depth: int
    across: int
    ffn_products: int
    stages: tuple[int, int, int, int]
    features: int
    outputs: int = 1

    def count(self, views: int, height: int, width: int) -> float:
        """Return the operations for `views` views of `height` x `width` pixels, no rays."""
        patches = height * width / _PATCH**2
        tokens = 1 + height * width // _PATCH**2
        linear = 2.0 * self.depth * (4 * self.width**2 + self.width * self.ffn_products)
        reach = (self.depth - self.across) * tokens + self.across * views * tokens
        backbone = tokens * (linear + 4.0 * self.width * reach)
        pixels = (16.0, 4.0, 1.0, 0.25)  # of the pyramid's maps, per patch
        pyramid = (
            18.0 * self.features * sum(c * p for c, p in zip(self.stages, pixels, strict=True))
        )
        chain = 36.0 * self.features**2 * (pixels[3] + 2 * sum(pixels[:3]))
        half = self.features // 2
        first = 18.0 * self.features * half * 64
        last = self.outputs * 18.0 * half * 32 * height * width
        return views * (backbone + patches * (pyramid + chain + first) + last)


_LARGE_STAGES: Final = (256, 512, 1024, 1024)
_GIANT: Final = _Branch(1536, 40, 14, 3 * 4096, _LARGE_STAGES, 256)
_SINGLE: Final = _Branch(1024, 24, 0, 2 * 4096, _LARGE_STAGES, 256, outputs=2)
_BRANCHES: Final[dict[str, tuple[_Branch, ...]]] = {
    "da3-tiny": (_Branch(192, 12, 4, 2 * 640, (24, 48, 96, 192), 32),),
    "da3-small": (_Branch(384, 12, 4, 2 * 1536, (48, 96, 192, 384), 64),),
    "da3-base": (_Branch(768, 12, 4, 2 * 3072, (96, 192, 384, 768), 128),),
    "da3-large": (_Branch(1024, 24, 8, 2 * 4096, _LARGE_STAGES, 256),),
    "da3-giant": (_GIANT,),
    "da3metric-large": (_SINGLE,),
    "da3mono-large": (_SINGLE,),
    "da3nested-giant-large": (_GIANT, _SINGLE),
}


def count_flops(model_id: str, views: int, height: int, width: int) -> float:
    """Count the operations of one run, without rays and Gaussians.

    Args:
        model_id: one of the keys of `models.MODELS`.
        views: photos that the network sees at once.
        height: pixels of a view as the network sees it, a multiple of 14.
        width: pixels.

    Returns:
        Floating point operations.

    Raises:
        EngineError: SETTINGS_INVALID; there is no such model.
    """
    branches = _BRANCHES[get_model(model_id).architecture.name]
    return sum(branch.count(views, height, width) for branch in branches)


def estimate_run(
    model_id: str,
    views: int,
    size: tuple[int, int],
    precision: str,
    speed: MeasuredSpeed | None = None,
) -> RunEstimate:
    """Estimate what a run takes.

    Args:
        model_id: one of the keys of `models.MODELS`.
        views: photos that the network sees at once, at least 1.
        size: height and width of a view as the network sees it, see `fit_to_network`.
        precision: "float32", "bfloat16" or "float16".
        speed: of an earlier run with the same network, device and precision, or None.

    Returns:
        Memory, and time if a speed is given.

    Raises:
        EngineError: SETTINGS_INVALID; there is no such model.
    """
    memory = estimate_memory_bytes(model_id, views, *size, precision)
    if speed is None:
        return RunEstimate(memory, None)
    seconds = count_flops(model_id, views, *size) / speed.flops_per_s
    return RunEstimate(memory, seconds + views * speed.other_s_per_view)


def fit_to_network(
    width: int, height: int, resolution: int, *, is_lower_bound: bool = False
) -> tuple[int, int]:
    """Return the size at which the network sees a photo.

    Args:
        width: pixels of the photo.
        height: pixels.
        resolution: pixels of the longer side.
        is_lower_bound: of the shorter side instead.

    Returns:
        Height and width, multiples of 14; where photos are cut to size, up to 13 less.
    """
    side = min(width, height) if is_lower_bound else max(width, height)
    sides = (round(height * resolution / side), round(width * resolution / side))
    rows, columns = (max(1, math.floor(x / _PATCH + 0.5)) for x in sides)
    return rows * _PATCH, columns * _PATCH


def format_duration(seconds: float) -> str:
    """Write a duration for people: "9 s", "4 min", "2.5 h"."""
    if seconds < 90:  # noqa: PLR2004 - where minutes read better
        return f"{max(seconds, 1):.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"  # noqa: PLR2004
