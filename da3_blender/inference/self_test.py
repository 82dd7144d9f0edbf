# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute the depth of two small pictures and compare it with a stored one.

Runs in the engine, at the end of the set-up: a backend that computes rubbish is found before it
ruins a scene. The reference was computed in float32 on a processor, by the network in the box;
where the box has no weights, by a network with seeded random numbers, which says nothing about
pictures but goes through all the same operations.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from ..contract.errors import EngineError, ErrorCode
from ..contract.models import WEIGHTS_FILE
from ..network.presets import PRESETS
from .devices import choose_device, describe_device
from .prediction import PredictOptions
from .predictor import Predictor
from .weights import build_empty_network, load_network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..network.presets import Preset
    from .weights import Network

Array = np.ndarray

BUNDLED: Final = Path(__file__).resolve().parent / "bundled"
WEIGHTS_FOLDER: Final = BUNDLED / "da3-tiny"
REFERENCE_FILE: Final = "self_test.npz"
SEEDED_FOLDER: Final = BUNDLED / "seeded"
_SEED: Final = 3
_SEEDED: Final = "seeded"
_PRESET: Final = "da3-tiny"
# Mean relative difference of depth. Processors agree to about 1e-6 in float32, and graphics cards
# to 1e-4 with their faster products. 16 bit backbones have 8 to 11 bits of mantissa, so a
# thousandth to a hundredth. Rubbish is off by a tenth and more: a wrong depth of constant
# value, for one, is off by the spread of the depth itself, which `write_reference` asks for.
TOLERANCE_FLOAT32: Final = 2e-3
TOLERANCE_HALF: Final = 3e-2
_LEAST_SPREAD: Final = 0.1
_GAIN: Final = 1.0  # less makes depth too even, more makes it overflow


@dataclass(frozen=True)
class SelfTestResult:
    """What the self-test found.

    Attributes:
        device: "cuda", "mps" or "cpu".
        device_name: for people.
        precision: of the backbone, such as "bfloat16".
        error: mean of |depth - stored| / stored.
        tolerance: largest error that passes.
        seconds: for loading the weights and computing.
        weights: "da3-tiny", or "seeded" where the box has no weights.
        torch: version.
    """

    device: str
    device_name: str
    precision: str
    error: float
    tolerance: float
    seconds: float
    weights: str
    torch: str


def run_self_test(
    device_name: str = "auto",
    precision: str = "auto",
    weights: Path = WEIGHTS_FOLDER,
    seeded: Path = SEEDED_FOLDER,
) -> SelfTestResult:
    """Compute the test pictures as a run would, and compare.

    Args:
        device_name: "auto", "cpu", "cuda" or "mps".
        precision: one of `precision.PRECISIONS`.
        weights: folder of the network in the box, with its reference.
        seeded: folder of the reference for the seeded network.

    Returns:
        The numbers; the error is below the tolerance.

    Raises:
        EngineError: ENGINE_BROKEN, the numbers are wrong; CHECKPOINT_WRONG, the weights in the box
            are not those of the reference; SETTINGS_INVALID, there is no such device.
    """
    began_s = time.monotonic()
    device = choose_device(device_name)
    has_weights = all((weights / name).is_file() for name in (WEIGHTS_FILE, REFERENCE_FILE))
    folder = weights if has_weights else seeded
    images, stored, print_of_weights = _read_reference(folder)
    if _fingerprint(folder) != print_of_weights:
        raise EngineError(
            ErrorCode.CHECKPOINT_WRONG,
            f"The network in the box is damaged ({folder / WEIGHTS_FILE}).",
            "Install the extension again.",
        )
    depth, dtype = _compute(folder, images, device, precision)
    tolerance = TOLERANCE_FLOAT32 if dtype is torch.float32 else TOLERANCE_HALF
    facts = describe_device(device)
    # a mean that is not a number fails the comparison below, too
    error = float(np.mean(np.abs(_thin(depth) - stored) / stored, dtype=np.float64))
    if not error <= tolerance:
        raise EngineError(
            ErrorCode.ENGINE_BROKEN,
            f"{facts.name} computes wrong depth: off by {error:.1e} where {tolerance:.0e} is "
            "allowed.",
            "Update the driver of the graphics card, or choose the processor in the preferences "
            "(Compute on).",
        )
    return SelfTestResult(
        device=device.type,
        device_name=facts.name,
        precision=str(dtype).removeprefix("torch."),
        error=error,
        tolerance=tolerance,
        seconds=time.monotonic() - began_s,
        weights=_SEEDED if folder == seeded else _PRESET,
        torch=torch.__version__,
    )


def write_reference(folder: Path, images: Sequence[Array]) -> dict[str, Any]:
    """Compute and store the reference for a network; call it whenever its weights change.

    Args:
        folder: with `model.safetensors`; without, the reference is for the seeded network.
        images: two or more pictures (h, w, 3) uint8 sRGB of one size, sides multiples of 14.

    Returns:
        Facts: bytes of the file, spread of the depth.

    Raises:
        ValueError: the depth is so even that a wrong one could pass.
    """
    stack = np.stack(images)
    depth, _ = _compute(folder, stack, torch.device("cpu"), "float32")
    spread = float(depth.std() / depth.mean())
    if spread < _LEAST_SPREAD:
        message = f"the depth varies by {spread:.3f} only; take other pictures"
        raise ValueError(message)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / REFERENCE_FILE
    np.savez_compressed(path, images=stack, depth=_thin(depth), weights=_fingerprint(folder))
    return {"bytes": path.stat().st_size, "spread": spread}


def make_seeded_network(preset: Preset = PRESETS[_PRESET]) -> Network:
    """Return a network of random weights that are the same on every machine.

    NumPy's old generator gives the same numbers on all systems and versions; torch's does not
    promise that.
    """
    numbers = np.random.RandomState(_SEED)
    network = build_empty_network(preset)
    state = {}
    for name, parameter in network.state_dict().items():
        shape = tuple(parameter.shape)
        values = numbers.standard_normal(shape)
        if len(shape) > 1:
            values *= _GAIN / np.sqrt(np.prod(shape[1:]))
        else:  # norms stay near one, biases near zero
            is_scale = name.endswith((".weight", ".gamma"))
            values = 0.1 * values + (0.5 if is_scale else 0.0)
        state[name] = torch.from_numpy(values.astype(np.float32))
    network.load_state_dict(state, assign=True)
    return network.requires_grad_(requires_grad=False).eval()


def _compute(
    folder: Path, images: Array, device: torch.device, precision: str
) -> tuple[Array, torch.dtype]:
    """Return depth (N, H, W) float32 of the pictures, and the backbone's format."""
    if (folder / WEIGHTS_FILE).is_file():
        network, preset = load_network(folder, "cpu")
    else:
        preset = PRESETS[_PRESET]
        network = make_seeded_network(preset)
    predictor = Predictor(network, preset, device, precision)
    options = PredictOptions(process_resolution=max(images.shape[1:3]))
    return predictor.predict(list(images), options).depth, predictor.dtype


def _thin(depth: Array) -> Array:
    """Return every second pixel: half the file tells as much."""
    return depth[:, ::2, ::2]


def _read_reference(folder: Path) -> tuple[Array, Array, str]:
    try:
        with np.load(folder / REFERENCE_FILE) as stored:
            return stored["images"], stored["depth"], str(stored["weights"])
    except (OSError, KeyError, ValueError) as error:
        raise EngineError(
            ErrorCode.CHECKPOINT_WRONG,
            f"The test picture is missing or damaged ({folder / REFERENCE_FILE}).",
            "Install the extension again.",
        ) from error


def _fingerprint(folder: Path) -> str:
    """Return the sha256 of the weights, or the word for seeded ones."""
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        return _SEEDED
    return hashlib.sha256(path.read_bytes()).hexdigest()
