# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three ready-made sets of choices: a fast look, the usual, and as good as it gets.

Runs in Blender; plain values only. They choose sizes and not the model, whose licence and whose
download are for the user to decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Quality:
    """One set of choices.

    Attributes:
        id: name for scripts.
        title: for people.
        purpose: one sentence, when to take it.
        values: name of a property of the scene's settings -> value.
    """

    id: str
    title: str
    purpose: str
    values: dict[str, Any]


QUALITIES: Final = (
    Quality(
        "PREVIEW",
        "Preview",
        "Fast and coarse: to see whether the photos will do",
        {
            "process_resolution": 280,
            "max_points": 200_000,
            "mesh_step": 4,
            "max_features": 3000,
            "max_photo_side": 1200,
        },
    ),
    Quality(
        "BALANCED",
        "Balanced",
        "The resolution that the networks were made for",
        {
            "process_resolution": 504,
            "max_points": 1_000_000,
            "mesh_step": 2,
            "max_features": 8192,
            "max_photo_side": 2400,
        },
    ),
    Quality(
        "BEST",
        "Best",
        "Finer depth and more points; takes several times as long and as much memory",
        {
            "process_resolution": 756,
            "max_points": 5_000_000,
            "mesh_step": 1,
            "max_features": 12_000,
            "max_photo_side": 3200,
        },
    ),
)


def get_quality(quality_id: str) -> Quality:
    """Return one of QUALITIES.

    Raises:
        KeyError: there is none of this name.
    """
    return {quality.id: quality for quality in QUALITIES}[quality_id]
