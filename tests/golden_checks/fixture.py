# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open fixtures, measure differences, build networks with the synthetic weights.

Runs in the engine's environment.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from da3_blender.inference.weights import build_empty_network, official_key
from da3_blender.network.presets import PRESETS

if TYPE_CHECKING:
    from types import ModuleType

    from da3_blender.inference.weights import Network

Array = np.ndarray

RELATIVE_LIMIT = 2e-5
PROBE_LIMIT = 8e-6
"""For networks with scaled weights, where a wrong eps shows from 2e-5 on."""


class FixtureError(Exception):
    """A fixture that cannot be used, with a sentence that says why."""


@dataclass
class Fixture:
    """Arrays and description of one file; `kind` is empty for files without a description."""

    path: Path
    arrays: dict[str, Array]
    meta: dict

    @property
    def kind(self) -> str:
        """Return what the file describes."""
        return str(self.meta.get("kind", ""))

    def need(self, name: str) -> Array:
        """Return an array, or say that it is missing."""
        if name not in self.arrays:
            msg = f"the array {name} is missing"
            raise FixtureError(msg)
        return self.arrays[name]

    def need_meta(self, name: str) -> object:
        """Return an entry of the description, or say that it is missing."""
        if name not in self.meta:
            msg = f"the description has no entry {name}"
            raise FixtureError(msg)
        return self.meta[name]


def open_fixture(path: Path) -> Fixture:
    """Read a fixture; raises FixtureError if the file is broken."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        msg = f"the file cannot be read: {error}"
        raise FixtureError(msg) from error
    meta = {}
    if "meta" in arrays:
        try:
            meta = json.loads(bytes(arrays.pop("meta")).decode())
        except ValueError as error:
            msg = f"the description cannot be read: {error}"
            raise FixtureError(msg) from error
        if not isinstance(meta, dict):
            msg = "the description is no JSON object"
            raise FixtureError(msg)
    return Fixture(path, arrays, meta)


@dataclass
class Comparison:
    """Collects the differences of one fixture.

    Attributes:
        worst: largest difference seen, as a share of its limit decides which is largest.
        worst_name: array it belongs to.
        troubles: sentences about what is over its limit.
        remarks: sentences about what was not compared.
        compared: number of values or arrays that were compared.
    """

    worst: float = 0.0
    worst_name: str = ""
    troubles: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    compared: int = 0
    _worst_share: float = -1.0

    def close(
        self, name: str, ours: Array, theirs: Array, limit: float, *, is_absolute: bool = False
    ) -> None:
        """Compare by max|a - b| / max|b|, or by max|a - b|."""
        self.compared += 1
        ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        if ours.shape != theirs.shape:
            self.troubles.append(f"{name} has shape {ours.shape}, wanted {theirs.shape}")
            return
        if not np.isfinite(theirs).all():
            self.troubles.append(f"{name} of the fixture is not finite")
            return
        size = 1.0 if is_absolute else float(np.abs(theirs).max(initial=0)) or 1.0
        error = float(np.abs(ours - theirs).max(initial=0)) / size
        if not error <= limit:  # also catches numbers that are not finite
            self.troubles.append(f"{name} differs by {error:.1e}, limit {limit:.0e}")
        if not error / limit <= self._worst_share:  # so that NaN counts as the worst
            self.worst, self.worst_name, self._worst_share = error, name, error / limit

    def same(self, name: str, ours: object, acceptable: list) -> bool:
        """Compare a choice with the list of acceptable ones."""
        self.compared += 1
        if ours not in acceptable:
            self.troubles.append(f"{name} is {ours}, wanted {acceptable}")
        return ours in acceptable


def load_weights_module(folder: Path) -> ModuleType:
    """Import `weights.py` from the fixture's folder, one above it, or beside the checkout."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "golden"
    for place in (folder, *folder.parents, beside):
        path = place / "weights.py"
        if path.is_file() and "def tensor_for_key" in path.read_text(encoding="utf-8"):
            spec = importlib.util.spec_from_file_location("golden_weights", path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    msg = "weights.py is neither beside the fixture nor in ../shared/golden"
    raise FixtureError(msg)


class NetworkCache:
    """Keeps the last network, so that fixtures of one model share it and memory holds one."""

    def __init__(self) -> None:
        self._key: tuple | None = None
        self._network: Network | None = None

    def get(self, fixture: Fixture) -> Network:
        """Return the network of the fixture's variant with its synthetic weights."""
        variant, seed = fixture.need_meta("variant"), int(fixture.need_meta("seed"))
        rules = [tuple(rule) for rule in fixture.meta.get("scale_rules", [])]
        key = (variant, seed, *rules)
        if self._key != key:
            self._key, self._network = None, None
            gc.collect()
            self._network = _make_network(str(variant), seed, rules, fixture.path.parent.resolve())
            self._key = key
        return self._network


def _make_network(variant: str, seed: int, rules: list, folder: Path) -> Network:
    """Fill a network tensor by tensor, so that no second copy of the weights exists."""
    weights = load_weights_module(folder)
    network = build_empty_network(PRESETS[variant])
    for name, parameter in list(network.named_parameters()):
        key = official_key(name)
        array = weights.tensor_for_key(key, tuple(parameter.shape), seed)
        tensor = torch.from_numpy(weights.scaled(key, array, rules))
        owner, _, leaf = name.rpartition(".")
        setattr(network.get_submodule(owner), leaf, torch.nn.Parameter(tensor, requires_grad=False))
    return network.eval()
