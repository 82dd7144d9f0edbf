# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the log of a training run: `python -m training.plots FOLDER [--out PICTURE]`.

Runs in the environment `training`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

_TERMS = ("total", "depth", "rays", "points", "camera", "gradient")
_PICTURE = "log.png"


def draw_log(folder: Path, path: Path | None = None) -> Path:
    """Draw losses and held-out numbers of a run over its steps.

    Args:
        folder: of the run, with `log.jsonl`.
        path: the picture, PNG or WebP; None is `log.png` in the same folder.

    Returns:
        Path of the picture.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    text = (folder / "log.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    steps = [line for line in lines if "total" in line]
    held_out = [line for line in lines if "held_out" in line]
    # the constant guess changes where the worlds of a run were changed
    constants = sorted((line for line in lines if "constant" in line), key=lambda x: x["step"])
    last = max((line["step"] for line in lines), default=0)
    figure, axes = plt.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    for term in _TERMS:
        axes[0].plot([x["step"] for x in steps], [x[term] for x in steps], label=term, lw=0.8)
    axes[0].set_title("losses")
    for axis, names in (
        (axes[1], ("depth", "known_depth")),
        (axes[2], ("rotation_degrees", "direction_degrees", "lens_degrees")),
    ):
        for name in names:
            x, y = [v["step"] for v in held_out], [v["held_out"][name] for v in held_out]
            (line,) = axis.plot(x, y, marker=".", label=name)
            guesses = [v for v in constants if name in v["constant"]]
            x = [v["step"] for v in guesses] + [last]
            y = [v["constant"][name] for v in guesses] + [v["constant"][name] for v in guesses[-1:]]
            if guesses:
                axis.step(x, y, where="post", color=line.get_color(), ls=":", lw=1)
    axes[1].set_title("held out: relative depth error (dotted: a constant)")
    axes[2].set_title("held out: cameras (dotted: a constant)")
    for axis in axes:
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
        axis.legend()
    path = path or folder / _PICTURE
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(prog="python -m training.plots", description=__doc__)
    parser.add_argument("folder", type=Path, help="of a run")
    parser.add_argument("--out", type=Path, help="PNG or WebP; default log.png in the folder")
    arguments = parser.parse_args()
    sys.stdout.write(f"{draw_log(arguments.folder, arguments.out)}\n")


if __name__ == "__main__":
    main()
