# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of troubles names the buttons that the panel shows."""

from pathlib import Path

import pytest

pytest.importorskip("bpy")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "trouble.md"


def test_the_page_of_troubles_names_the_buttons_of_the_panel(extension):
    find_remedy = extension("panels.status").find_remedy
    codes = extension("da3_blender.contract.errors").ErrorCode
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for code in codes:
        line = next(line for line in lines if line.startswith(f"| `{code.value}` |"))
        remedy = find_remedy(code)
        assert line.split("|")[4].strip() == ("" if remedy is None else remedy.label)
