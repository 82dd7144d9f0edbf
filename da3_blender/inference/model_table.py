# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The published models: where they are, what they weigh, what their licence allows.

Runs in the engine.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..contract.errors import EngineError, ErrorCode

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"

_APACHE = "Apache-2.0"
_NON_COMMERCIAL = "CC-BY-NC-4.0"


@dataclass(frozen=True)
class ModelEntry:
    """One downloadable model.

    Attributes:
        model_id: our name.
        repository: name on the Hugging Face hub.
        licence: SPDX identifier of the weights' licence.
        download_bytes: size of the weights, float32, without the small file header.
        preset: name of the architecture in `network.presets.PRESETS`.
    """

    model_id: str
    repository: str
    licence: str
    download_bytes: int
    preset: str

    @property
    def is_commercial_use_allowed(self) -> bool:
        """Tell whether the licence lets the user earn money with results."""
        return self.licence == _APACHE


_ENTRIES = (
    ModelEntry("da3-small", "depth-anything/DA3-SMALL", _APACHE, 137_197_852, "da3-small"),
    ModelEntry("da3-base", "depth-anything/DA3-BASE", _APACHE, 541_466_396, "da3-base"),
    ModelEntry(
        "da3-large", "depth-anything/DA3-LARGE-1.1", _NON_COMMERCIAL, 1_643_767_068, "da3-large"
    ),
    ModelEntry(
        "da3-giant", "depth-anything/DA3-GIANT-1.1", _NON_COMMERCIAL, 5_422_696_500, "da3-giant"
    ),
)

MODELS: dict[str, ModelEntry] = {entry.model_id: entry for entry in _ENTRIES}


def get_model(model_id: str) -> ModelEntry:
    """Look a model up.

    Args:
        model_id: one of the keys of `MODELS`.

    Returns:
        Its entry.

    Raises:
        EngineError: there is no such model.
    """
    if model_id not in MODELS:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"There is no model called {model_id!r}.",
            f"Use one of {', '.join(MODELS)}.",
        )
    return MODELS[model_id]
