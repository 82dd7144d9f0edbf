# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of the benchmark measures.

Runs in any Python.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples" / "courtyard"


@dataclass(frozen=True)
class Plan:
    """The choices of the command line.

    Attributes:
        device: "cpu" or "cuda".
        models: names such as "da3-small".
        views: numbers of pictures, rising.
        rounds: samples of each time.
        warm_ups: untimed calls before them.
        folder: for checkpoints, photos and results; kept between runs.
    """

    device: str
    models: tuple[str, ...]
    views: tuple[int, ...]
    rounds: int
    warm_ups: int
    folder: Path

    @staticmethod
    def say(text: str) -> None:
        """Tell the person who waits."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
