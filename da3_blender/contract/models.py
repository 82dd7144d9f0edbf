# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue of published models: what they can do, weigh, need and may be used for.

Runs in both processes; panel, command line and the checks before a run read it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from .errors import EngineError, ErrorCode

WEIGHTS_FILE: Final = "model.safetensors"
CONFIG_FILE: Final = "config.json"
DEFAULT_MODEL: Final = "da3-base"
BUNDLED_FOLDER: Final = "bundled"
"""Beside the modules of `inference`: a folder for each model that comes with the extension."""
_HUB: Final = "https://huggingface.co/"


class Capability(enum.Enum):
    """What a model predicts for each view."""

    CAMERAS = "cameras"
    DEPTH = "depth"
    CONFIDENCE = "confidence"
    SKY = "sky"
    GAUSSIANS = "gaussians"
    METRIC = "metric"  # depth in metres


@dataclass(frozen=True)
class Licence:
    """The licence of a model's weights.

    Attributes:
        spdx_id: identifier of the SPDX list.
        title: readable name.
        url: its text.
        is_commercial_use_allowed: whether the weights may serve to earn money.
        sentence: what it means, for people.
    """

    spdx_id: str
    title: str
    url: str
    is_commercial_use_allowed: bool
    sentence: str


APACHE: Final = Licence(
    "Apache-2.0",
    "Apache 2.0",
    "https://www.apache.org/licenses/LICENSE-2.0",
    is_commercial_use_allowed=True,
    sentence="Any use is allowed, also commercial.",
)
PUBLIC_DOMAIN: Final = Licence(
    "CC0-1.0",
    "CC0 1.0",
    "https://creativecommons.org/publicdomain/zero/1.0/",
    is_commercial_use_allowed=True,
    sentence="Any use is allowed, also commercial, without naming anybody.",
)
NON_COMMERCIAL: Final = Licence(
    "CC-BY-NC-4.0",
    "CC BY-NC 4.0",
    "https://creativecommons.org/licenses/by-nc/4.0/",
    is_commercial_use_allowed=False,
    sentence="No commercial use: nothing directed towards commercial advantage or payment.",
)


@dataclass(frozen=True)
class Architecture:
    """What all checkpoints of one network share.

    Attributes:
        name: as in the checkpoints' config file and `network.presets`.
        parameters: numbers in the file.
        weights_bytes_float32: of the weights that are read, all in float32; without the ray
            stacks that nothing evaluates.
        weights_bytes_half: the same with the backbone's matrices in 16 bit, the rest in float32.
        first_view_bytes_per_pixel: memory of a run with one view beyond the weights, 16 bit.
        further_view_bytes_per_pixel: memory that each further view adds, 16 bit.
        capabilities: what it predicts.
    """

    name: str
    parameters: int
    weights_bytes_float32: int
    weights_bytes_half: int
    first_view_bytes_per_pixel: float
    further_view_bytes_per_pixel: float
    capabilities: frozenset[Capability]

    @property
    def is_single_view(self) -> bool:
        """Tell whether views are looked at one by one, so that nothing relates them."""
        return Capability.CAMERAS not in self.capabilities


_ANY_VIEW: Final = frozenset({Capability.CAMERAS, Capability.DEPTH, Capability.CONFIDENCE})
_SINGLE_VIEW: Final = frozenset({Capability.DEPTH, Capability.SKY})

# Parameters and bytes are counted on the published key lists, those of da3-tiny on its own
# network. Bytes per pixel are a fit to a simulation of live tensors at 280x504 and 504x504 with a
# 16 bit backbone, a float32 head and no rays (GiB of one view, MiB of each further one; both grow
# with the pixels: the two sizes agree within 5 %); of da3-tiny at 98x140. Views of single-view
# networks come one at a time.
_ARCHITECTURES: Final = (
    Architecture("da3-tiny", 7_915_874, 31_663_496, 21_961_736, 760, 57, _ANY_VIEW),
    Architecture("da3-small", 34_299_463, 135_975_496, 92_972_872, 550, 42.5, _ANY_VIEW),
    Architecture("da3-base", 135_366_599, 536_813_000, 365_873_096, 845, 73, _ANY_VIEW),
    Architecture("da3-large", 410_941_767, 1_625_616_072, 1_019_987_656, 1690, 112, _ANY_VIEW),
    Architecture(
        "da3-giant",
        1_355_674_125,
        5_404_545_504,
        3_136_542_176,
        1650,
        143,
        _ANY_VIEW | {Capability.GAUSSIANS},
    ),
    Architecture(
        "da3metric-large",
        334_171_394,
        1_336_685_576,
        731_057_160,
        1690,
        0,
        _SINGLE_VIEW | {Capability.METRIC},
    ),
    Architecture("da3mono-large", 334_171_394, 1_336_685_576, 731_057_160, 1690, 0, _SINGLE_VIEW),
    Architecture(
        "da3nested-giant-large",
        1_689_845_519,
        6_741_231_080,
        3_867_599_336,
        1690,
        143,
        frozenset(Capability),
    ),
)
_ARCHITECTURE: Final = {architecture.name: architecture for architecture in _ARCHITECTURES}

# What float32 takes in place of 16 bit, beyond the weights: 1.4 (base, 8 views), 1.5 (small, 8
# views) and 1.6 (large, 2 views) were measured on a processor at 280x504.
_FLOAT32_FACTOR: Final = 1.6
_HALF_PRECISIONS: Final = ("bfloat16", "float16")


@dataclass(frozen=True)
class ModelEntry:
    """One model: on the hub, or in the extension itself.

    Attributes:
        id: our name; that of the architecture for the checkpoint that one should take.
        title: name for people.
        repository: name on the Hugging Face hub; "" for one that comes with the extension.
        architecture: its network.
        licence: of the weights.
        is_deprecated: a better trained checkpoint of the same network replaces it.
        purpose: one sentence, when to take it.
        is_bundled: the weights come with the extension, so that nothing is downloaded; their hash
            is in the `config.json` beside them.
        greatest_resolution: pixels of the longest side beyond which results get worse; 0 if more
            is better.
    """

    id: str
    title: str
    repository: str
    architecture: Architecture
    licence: Licence
    is_deprecated: bool
    purpose: str
    is_bundled: bool = False
    greatest_resolution: int = 0

    @property
    def page(self) -> str:
        """Address of the model's page; of its licence if it comes with the extension."""
        return self.licence.url if self.is_bundled else _HUB + self.repository

    @property
    def download_bytes(self) -> int:
        """Size of the weights on the disk, without the file's header.

        Those on the hub are float32, those that come with the extension float16.
        """
        return (2 if self.is_bundled else 4) * self.architecture.parameters

    def limit_resolution(self, wanted: int) -> int:
        """Return the resolution at which the model should see photos where `wanted` is set."""
        return min(wanted, self.greatest_resolution or wanted)

    @property
    def is_commercial_use_allowed(self) -> bool:
        """Tell whether the licence lets the user earn money with results."""
        return self.licence.is_commercial_use_allowed

    def can(self, capability: Capability) -> bool:
        """Tell whether the model predicts this."""
        return capability in self.architecture.capabilities

    def describe(self) -> str:
        """Return title, size and licence in a few words, for a list."""
        if self.is_bundled:
            return f"{self.title} (comes with the extension)"
        limit = "" if self.is_commercial_use_allowed else ", non-commercial"
        return f"{self.title} ({format_gigabytes(self.download_bytes)}{limit})"


def _make(
    title: str,
    repository: str,
    architecture: str,
    licence: Licence,
    purpose: str,
    *,
    model_id: str = "",
) -> ModelEntry:
    return ModelEntry(
        id=model_id or architecture,
        title=title,
        repository=f"depth-anything/{repository}",
        architecture=_ARCHITECTURE[architecture],
        licence=licence,
        is_deprecated=bool(model_id),
        purpose=purpose,
    )


_EARLIER: Final = "Earlier checkpoint with a known training error, to repeat old results"
_ENTRIES: Final = (
    ModelEntry(
        id="da3-tiny",
        title="Tiny",
        repository="",
        architecture=_ARCHITECTURE["da3-tiny"],
        licence=PUBLIC_DOMAIN,
        is_deprecated=False,
        purpose="Preview quality, trained on synthetic rooms, to try everything at once; download "
        "Base for real work",
        is_bundled=True,
        greatest_resolution=112,
    ),
    _make("Small", "DA3-SMALL", "da3-small", APACHE, "Fastest, for a first look and small cards"),
    _make("Base", "DA3-BASE", "da3-base", APACHE, "Good quality at moderate speed"),
    _make(
        "Large 1.1",
        "DA3-LARGE-1.1",
        "da3-large",
        NON_COMMERCIAL,
        "Better depth and cameras, slower",
    ),
    _make(
        "Giant 1.1",
        "DA3-GIANT-1.1",
        "da3-giant",
        NON_COMMERCIAL,
        "Best depth and cameras, and splats; needs a large card",
    ),
    _make(
        "Nested 1.1",
        "DA3NESTED-GIANT-LARGE-1.1",
        "da3nested-giant-large",
        NON_COMMERCIAL,
        "Giant with depth in metres and a sky mask; needs a large card",
    ),
    _make(
        "Metric",
        "DA3METRIC-LARGE",
        "da3metric-large",
        APACHE,
        "Depth in metres and sky of single photos; finds no cameras",
    ),
    _make(
        "Mono",
        "DA3MONO-LARGE",
        "da3mono-large",
        APACHE,
        "Relative depth and sky of single photos; finds no cameras",
    ),
    _make(
        "Large 1.0", "DA3-LARGE", "da3-large", NON_COMMERCIAL, _EARLIER, model_id="da3-large-1.0"
    ),
    _make(
        "Giant 1.0", "DA3-GIANT", "da3-giant", NON_COMMERCIAL, _EARLIER, model_id="da3-giant-1.0"
    ),
    _make(
        "Nested 1.0",
        "DA3NESTED-GIANT-LARGE",
        "da3nested-giant-large",
        NON_COMMERCIAL,
        _EARLIER,
        model_id="da3nested-giant-large-1.0",
    ),
)

MODELS: Final[dict[str, ModelEntry]] = {entry.id: entry for entry in _ENTRIES}


def get_model(model_id: str) -> ModelEntry:
    """Look a model up.

    Args:
        model_id: one of the keys of `MODELS`.

    Returns:
        Its entry.

    Raises:
        EngineError: SETTINGS_INVALID; there is no such model.
    """
    if model_id not in MODELS:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"There is no model called {model_id!r}.",
            f"Use one of {', '.join(MODELS)}.",
        )
    return MODELS[model_id]


def list_models(*, commercial_only: bool) -> list[ModelEntry]:
    """Return the models that a user may choose, in the order of the catalogue.

    Args:
        commercial_only: leave out those whose licence forbids commercial use.
    """
    return [e for e in MODELS.values() if e.is_commercial_use_allowed or not commercial_only]


def check_licence(model_id: str, *, commercial_only: bool) -> None:
    """Refuse a model whose licence forbids what the user wants to do.

    Args:
        model_id: one of the keys of `MODELS`.
        commercial_only: the user's preference.

    Raises:
        EngineError: SETTINGS_INVALID; unknown, or not for commercial use.
    """
    entry = get_model(model_id)
    if commercial_only and not entry.is_commercial_use_allowed:
        free = ", ".join(e.title for e in list_models(commercial_only=True))
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"The model {entry.title} is licensed {entry.licence.title}, which forbids "
            "commercial use.",
            f"Choose one of {free}, or turn Commercial Use Only off in the preferences.",
        )


def estimate_memory_bytes(
    model_id: str, views: int, height: int, width: int, precision: str = "bfloat16"
) -> int:
    """Estimate the most memory that a run takes on the device, weights included.

    Args:
        model_id: one of the keys of `MODELS`.
        views: photos that the network sees at once, at least 1.
        height: pixels of a view as the network sees it.
        width: pixels.
        precision: "bfloat16" or "float16" for a 16 bit backbone, else float32.

    Returns:
        Bytes; without the driver's own, some 0.5 GB with CUDA, and without Gaussians.

    Raises:
        EngineError: SETTINGS_INVALID; there is no such model.
    """
    network = get_model(model_id).architecture
    is_half = precision in _HALF_PRECISIONS
    weights = network.weights_bytes_half if is_half else network.weights_bytes_float32
    per_pixel = network.first_view_bytes_per_pixel
    per_pixel += network.further_view_bytes_per_pixel * (max(views, 1) - 1)
    factor = 1.0 if is_half else _FLOAT32_FACTOR
    return weights + round(per_pixel * factor * height * width)


def format_gigabytes(size_bytes: float) -> str:
    """Write a size for people: "0.14 GB", "1.6 GB", "12 GB"."""
    gigabytes = size_bytes / 1e9
    decimals = 2 if gigabytes < 0.995 else 1 if gigabytes < 9.95 else 0  # noqa: PLR2004
    return f"{gigabytes:.{decimals}f} GB"
