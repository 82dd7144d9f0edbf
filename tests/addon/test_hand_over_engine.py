# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports that Blender asks the real engine for; skipped where there is no engine."""

import sys

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from tests.addon.conftest import MODULE, ROOT  # noqa: E402 - bpy first
from tests.addon.results import write_photo, write_result  # noqa: E402

_PROGRAM = ROOT / ".env" / "engine" / ("Scripts" if sys.platform == "win32" else "bin") / "python"


@pytest.fixture
def real_engine(extension):
    """Set the engine of this checkout."""
    if not _PROGRAM.exists():
        pytest.skip("there is no engine in this checkout")
    preferences = bpy.context.preferences.addons[MODULE].preferences
    preferences.engine_python = str(_PROGRAM)
    yield
    extension("da3_blender.client.session").shut_down()
    preferences.engine_python = ""


def build_photos(build, folder, **parts):
    plate = folder.with_name("plate")
    views = []
    for index in range(3):
        path = write_photo(plate / f"p{index}.png")
        views.append({"name": path.name, "path": str(path), "photo": str(path)})
    write_result(folder, views, **parts)
    build(folder)


def test_the_engine_writes_a_report_and_the_panel_is_clean(
    scene, build, extension, real_engine, tmp_path
):
    build_photos(build, tmp_path / "r")
    out = tmp_path / "out"
    assert bpy.ops.da3.export_result(directory=str(out), formats={"REPORT", "NPZ"}) == {"FINISHED"}
    assert "p1.png" in (out / "report" / "report.html").read_text(encoding="utf-8")
    with np.load(out / "npz" / "results.npz") as arrays:
        assert arrays["w2c"].shape == (3, 4, 4)
    job = extension("da3_blender.client.session").current_job()
    assert bpy.context.window_manager.da3.dismissed_job == job.id


def test_what_the_engine_cannot_write_is_said(scene, build, real_engine, tmp_path):
    build_photos(build, tmp_path / "r")
    with pytest.raises(RuntimeError, match="no depth"):
        bpy.ops.da3.export_result(directory=str(tmp_path / "out"), formats={"LAYERS"})


def test_every_format_of_the_operator_is_one_of_the_engine(extension):
    keys = [key for key, *_ in extension("operators.export_result")._FORMATS]
    known = extension("da3_blender.contract.names").EXPORT_FORMATS
    assert {key.lower().replace("_", "-") for key in keys} <= set(known)
