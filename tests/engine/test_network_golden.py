# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorded reference numbers, one test per fixture.

Runs in the engine's environment; the numbers lie beside the checkout.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed")

GOLDEN = Path(__file__).resolve().parents[2].parent / "shared" / "golden"


def load_check_golden():
    path = Path(__file__).resolve().parents[1] / "check_golden.py"
    spec = importlib.util.spec_from_file_location("check_golden", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def list_names():
    if not GOLDEN.is_dir():
        return [pytest.param("", marks=pytest.mark.skip(reason="no ../shared/golden"))]
    paths = check_golden.list_fixtures(GOLDEN, "*")
    return [path.relative_to(GOLDEN).with_suffix("").as_posix() for path in paths]


check_golden = load_check_golden()


@pytest.fixture(scope="module")
def cache():
    return check_golden.NetworkCache()


@pytest.mark.parametrize("name", list_names())
def test_fixture(name, cache):
    outcome = check_golden.check_fixture(GOLDEN / f"{name}.npz", name, cache)
    assert outcome.state == check_golden.PASS, str(outcome)


def test_a_broken_fixture_is_a_sentence(tmp_path):
    path = tmp_path / "broken.npz"
    path.write_bytes(b"PK\x03\x04 and then nothing")
    outcome = check_golden.check_fixture(path, "broken", check_golden.NetworkCache())
    assert outcome.state == check_golden.FAIL
    assert "cannot be read" in str(outcome)
