# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load official checkpoints into our networks, strictly.

Runs in the engine.
"""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..contract.errors import EngineError, ErrorCode
from ..contract.models import CONFIG_FILE, WEIGHTS_FILE
from ..network.any_view import AnyViewNetwork
from ..network.nested import NestedNetwork
from ..network.presets import PRESETS, AnyViewPreset, NestedPreset, Preset
from ..network.single_view import SingleViewNetwork
from .precision import is_matmul_parameter

_PREFIX = "model."
_IGNORED = (
    (
        re.compile(r"^model\.(da3\.)?head\.scratch\.output_conv1_aux\.[012]\."),
        "ray output stacks whose result upstream throws away",
    ),
    (
        re.compile(r"^model\.(da3\.)?head\.scratch\.output_conv2_aux\.[012]\.[05]\."),
        "ray output stacks that upstream never runs",
    ),
    (
        re.compile(r"^model\.(da3\.)?head\.scratch\.output_conv2_aux\.[12]\.2\."),
        "further names of the one norm that all ray output stacks share",
    ),
)
"""Keys that may be in the file, or be missing, without effect: pattern and reason."""

_SHARED_NORM_LIVE = "head.scratch.output_conv2_aux.3.2."
_SHARED_NORM_STORED = "head.scratch.output_conv2_aux.0.2."
"""The files hold the shared norm once, under the first stack; the live stack is the last."""

Network = AnyViewNetwork | SingleViewNetwork | NestedNetwork

_METRIC, _MONO = "da3metric-large", "da3mono-large"
_MONO_NAME = re.compile(r"da3[-_]?mono", re.IGNORECASE)
_PLACES_OF_A_NAME = 4
"""A file in the Hugging Face cache lies three folders below the one with the model's name."""
_FLOAT_TYPES = ("F32", "F16", "BF16")
_LENGTH_BYTES = 8
"""A safetensors file starts with the length of its header."""
_MOST_HEADER_BYTES = 100_000_000
_NAMED_KEYS = 3
_REMEDY = "Delete the file and download the model again."


class StoredTensor(NamedTuple):
    """What the header of a file says about one tensor."""

    dtype: str
    shape: tuple[int, ...]


def load_network(
    path: Path, device: torch.device | str, dtype: torch.dtype | None = None
) -> tuple[Network, Preset]:
    """Build the network a checkpoint belongs to and fill it, memory-mapped, tensor by tensor.

    Args:
        path: a safetensors file, or a folder with `model.safetensors`.
        device: where the weights go.
        dtype: format of the backbone's linear layers; None for float32. All else is float32.

    Returns:
        The network, ready for inference, and its preset.

    Raises:
        EngineError: no such file, no safetensors file, cut short, of another network, or with
            missing, unexpected or misshapen tensors.
    """
    path = Path(path)
    if path.is_dir():
        path /= WEIGHTS_FILE
    header = read_header(path)
    preset = _choose_preset(path, header)
    network = build_empty_network(preset)
    sources = match_keys(path, network, header)
    network.load_state_dict(_read_tensors(path, sources, torch.device(device), dtype), assign=True)
    return network.requires_grad_(requires_grad=False).eval(), preset


def build_empty_network(preset: Preset) -> Network:
    """Build a network on the meta device: names and shapes without memory."""
    with torch.device("meta"):
        if isinstance(preset, NestedPreset):
            return NestedNetwork(preset)
        if isinstance(preset, AnyViewPreset):
            return AnyViewNetwork(preset)
        return SingleViewNetwork(preset)


def official_key(key: str) -> str:
    """Return the name under which the official files store the parameter `key` of a network."""
    return _PREFIX + key.replace(_SHARED_NORM_LIVE, _SHARED_NORM_STORED)


def is_ignored_key(key: str) -> bool:
    """Tell whether the key of a file has no place in the network, on purpose."""
    return any(pattern.search(key) for pattern, _ in _IGNORED)


def read_header(path: Path) -> dict[str, StoredTensor]:
    """Read names and shapes of a safetensors file and check that it is complete.

    Args:
        path: the file.

    Returns:
        Key -> type and shape.

    Raises:
        EngineError: the file is missing, is something else, or is cut short.
    """
    if not path.is_file():
        raise EngineError(
            ErrorCode.CHECKPOINT_MISSING, f"There is no file {path}.", "Download the model first."
        )
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(_LENGTH_BYTES)
        length = struct.unpack("<Q", start)[0] if len(start) == _LENGTH_BYTES else 0
        if start.lstrip()[:1] == b"<":
            raise _wrong(path, "is a web page, not a checkpoint")
        if start.startswith(b"version "):
            raise _wrong(path, "is a pointer of Git LFS, not the checkpoint itself")
        if not 0 < length <= _MOST_HEADER_BYTES:
            raise _wrong(path, "is not a safetensors file")
        text = file.read(length)
    if text and not text.startswith(b"{"):
        raise _wrong(path, "is not a safetensors file")
    if len(text) < length:
        raise _wrong(path, f"is cut short: it has only {size} bytes")
    try:
        entries = json.loads(text)
        entries.pop("__metadata__", None)
        end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
        header = {
            key: StoredTensor(entry["dtype"], tuple(entry["shape"]))
            for key, entry in entries.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise _wrong(path, "is not a safetensors file") from error
    wanted = _LENGTH_BYTES + length + end
    if size != wanted:
        trouble = "is cut short" if size < wanted else "has bytes to spare"
        raise _wrong(path, f"{trouble}: {size} bytes where {wanted} belong")
    return header


def identify_architecture(header: dict[str, StoredTensor], config_name: str | None = None) -> str:
    """Tell which published architecture a checkpoint belongs to.

    Args:
        header: keys and shapes.
        config_name: `model_name` of the config file, believed if it is there.

    Returns:
        A model name such as "da3-small"; "" if the keys belong to none. Metric and mono
        networks have the same keys: without a name it is "da3metric-large".
    """
    if config_name:
        return config_name
    if any(key.startswith("model.da3_metric.") for key in header):
        return "da3nested-giant-large"
    if any("sky_output_conv2" in key for key in header):
        return _METRIC
    token = header.get("model.backbone.pretrained.cls_token")
    for preset in PRESETS.values():
        if not isinstance(preset, AnyViewPreset) or token is None:
            continue
        if token.shape == (1, 1, preset.backbone.width):
            return preset.name
    return ""


def match_keys(path: Path, network: Network, header: dict[str, StoredTensor]) -> dict[str, str]:
    """Find the stored key of each parameter; nothing may be missing, left over or misshapen.

    Args:
        path: the file, for messages.
        network: may be on the meta device.
        header: keys and shapes of the file.

    Returns:
        Parameter name -> key in the file.

    Raises:
        EngineError: the two lists differ outside the keys that are ignored by name.
    """
    wanted = network.state_dict()
    sources = {}
    for name in wanted:
        live = _PREFIX + name  # a file with all four names of the shared norm has this one
        sources[name] = live if live in header else official_key(name)
    missing = [key for key in sources.values() if key not in header]
    known = {*sources.values(), *(official_key(name) for name in wanted)}
    unexpected = [key for key in header if key not in known and not is_ignored_key(key)]
    if missing or unexpected:
        found = [f"{len(missing)} missing ({_name(missing)})"] if missing else []
        found += [f"{len(unexpected)} unexpected ({_name(unexpected)})"] if unexpected else []
        raise _wrong(path, f"does not fit {network.preset.name}: tensors {', '.join(found)}")
    for name, key in sources.items():
        shape, stored = tuple(wanted[name].shape), header[key]
        if stored.shape != shape or stored.dtype not in _FLOAT_TYPES:
            raise _wrong(
                path,
                f"does not fit {network.preset.name}: {key} is {stored.dtype} {stored.shape}, "
                f"wanted are floats {shape}",
            )
    return sources


def _choose_preset(path: Path, header: dict[str, StoredTensor]) -> Preset:
    config_name = _read_config_name(path.with_name(CONFIG_FILE))
    name = identify_architecture(header, config_name)
    places = (path.name, *(folder.name for folder in path.parents))[:_PLACES_OF_A_NAME]
    if name == _METRIC and config_name is None and any(map(_MONO_NAME.search, places)):
        name = _MONO
    if name in PRESETS:
        return PRESETS[name]
    raise EngineError(
        ErrorCode.CHECKPOINT_WRONG,
        f"{path} holds {name or 'an unknown network'}, which is none of ours.",
        f"Choose a checkpoint of {', '.join(PRESETS)}.",
    )


def _read_config_name(path: Path) -> str | None:
    """Return `model_name` of a config file; None if there is no file or no such entry."""
    try:
        name = json.loads(path.read_text(encoding="utf-8"))["model_name"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return name if isinstance(name, str) else None


def _read_tensors(
    path: Path, sources: dict[str, str], device: torch.device, dtype: torch.dtype | None
) -> dict[str, Tensor]:
    """Read the parameters; float32 ones stay mapped to the file where the device allows it."""
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            state = {}
            for name, key in sources.items():
                wanted = dtype if dtype and is_matmul_parameter(name) else torch.float32
                state[name] = file.get_tensor(key).to(wanted)
    except SafetensorError as error:
        raise _wrong(path, f"cannot be read as safetensors ({error})") from error
    return state


def _name(keys: list[str]) -> str:
    more = ", ..." if len(keys) > _NAMED_KEYS else ""
    return ", ".join(keys[:_NAMED_KEYS]) + more


def _wrong(path: Path, trouble: str) -> EngineError:
    return EngineError(ErrorCode.CHECKPOINT_WRONG, f"{path} {trouble}.", _REMEDY)
