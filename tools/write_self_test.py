# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the pictures and the depth that the engine's self-test compares with.

Runs in the engine's Python: `PYTHONPATH=. .env/engine/bin/python -P tools/write_self_test.py
[FOLDER]`, where FOLDER holds the weights in the box; without it the seeded network is meant.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from da3_blender.inference.self_test import SEEDED_FOLDER, write_reference

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = ("courtyard_03.jpg", "courtyard_05.jpg")
SIZE = (168, 112)


def read_test_pictures() -> list[np.ndarray]:
    """Return two sample photos, small: (h, w, 3) uint8 sRGB each."""
    pictures = []
    for name in PHOTOS:
        with Image.open(ROOT / "samples" / "courtyard" / name) as photo:
            small = photo.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
            pictures.append(np.asarray(small))
    return pictures


def main() -> None:
    """Store the pictures with their depth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=SEEDED_FOLDER)
    folder = parser.parse_args().folder.resolve()
    sys.stdout.write(f"{folder}: {write_reference(folder, read_test_pictures())}\n")


if __name__ == "__main__":
    main()
