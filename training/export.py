# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write trained weights as a checkpoint: `python -m training.export RUN`.

Runs in the environment `training`. The file has the keys of the official checkpoints and float16
tensors; beside it lie a JSON file with `model_name`, the hash of the weights and the facts of the
run, and the pictures and depth that the engine's self-test compares with.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from da3_blender.contract.models import CONFIG_FILE, WEIGHTS_FILE
from da3_blender.inference.self_test import WEIGHTS_FOLDER, write_reference
from da3_blender.inference.weights import official_key
from tools.write_self_test import read_test_pictures

from .loop import CHECKPOINT, LOG

_LARGEST_HALF = 65504.0
_READABLE = 0o644


def export_weights(checkpoint: Path, folder: Path) -> dict[str, Any]:
    """Write the averaged weights of a checkpoint.

    Args:
        checkpoint: file that `checkpoint.save_checkpoint` wrote.
        folder: gets `model.safetensors` and `config.json`.

    Returns:
        The facts that are in `config.json`.

    Raises:
        ValueError: a weight is not finite or too large for float16.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    tensors = {}
    for name, values in state["average"].items():
        if not values.abs().max() <= _LARGEST_HALF:
            msg = f"{name} does not fit into float16"
            raise ValueError(msg)
        tensors[official_key(name)] = values.half().contiguous()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / WEIGHTS_FILE
    save_file(tensors, path)
    path.chmod(_READABLE)  # safetensors lets only its owner read it
    progress = state["progress"]
    facts = {
        "model_name": state["facts"]["preset"],
        "licence": "CC0-1.0",
        "parameters": sum(values.numel() for values in tensors.values()),
        "file_bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "training": {
            **{name: state["facts"][name] for name in ("curriculum", "seed", "rates")},
            "steps": progress["step"],
            "hours": round(progress["seconds"] / 3600, 2),
            "scenes_shown": progress["scenes"],
            "pictures_shown": progress["pictures"],
        },
        "held_out": _read_last_numbers(checkpoint.with_name(LOG), progress["step"]),
    }
    text = json.dumps(facts, indent=2) + "\n"
    (folder / CONFIG_FILE).write_text(text, encoding="utf-8")
    return facts


def _read_last_numbers(log: Path, step: int) -> dict[str, Any]:
    """Return the last held-out numbers up to a step, with the constant guess beside them."""
    found: dict[str, Any] = {}
    if log.exists():
        for text in log.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            if "constant" in line:
                found["constant"] = line["constant"]
            if "held_out" in line and line["step"] <= step:
                found |= {"step": line["step"], **line["held_out"]}
    return found


def main() -> None:
    """Read the command line and export."""
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a run, or a checkpoint file")
    parser.add_argument(
        "--out", type=Path, default=WEIGHTS_FOLDER, help="gets the files; default: the extension"
    )
    arguments = parser.parse_args()
    checkpoint = arguments.run / CHECKPOINT if arguments.run.is_dir() else arguments.run
    facts = export_weights(checkpoint, arguments.out)
    write_reference(arguments.out, read_test_pictures())
    sys.stdout.write(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
