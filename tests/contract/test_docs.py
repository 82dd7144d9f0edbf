# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation says what the code says: models, kinds of failure, pictures, links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from da3_blender.contract.errors import ErrorCode
from da3_blender.contract.models import (
    MODELS,
    Capability,
    estimate_memory_bytes,
    format_gigabytes,
)

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
MOST_BYTES = 200_000
_LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def read_rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the table whose head begins with a word."""
    text = (DOCS / page).read_text(encoding="utf-8")
    table = text[text.index(f"| {heading} |") :].split("\n\n")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]


def estimate_memory(model) -> int:
    """Of ten photos of 504 x 336 pixels, or what the model takes of them."""
    width = model.limit_resolution(504)
    return estimate_memory_bytes(model.id, 10, width * 336 // 504, width)


def test_the_models_of_the_guide_are_those_of_the_catalogue():
    columns = (Capability.CAMERAS, Capability.METRIC, Capability.SKY, Capability.GAUSSIANS)
    expected = [
        [
            model.title,
            "in the box" if model.is_bundled else format_gigabytes(model.download_bytes),
            model.licence.title,
            *("yes" if model.can(capability) else "" for capability in columns),
            format_gigabytes(estimate_memory(model)),
            model.purpose,
        ]
        for model in MODELS.values()
    ]
    assert read_rows("models.md", "model") == expected


def test_every_kind_of_failure_has_a_row_with_a_remedy():
    rows = read_rows("trouble.md", "kind")
    assert [row[0] for row in rows] == [f"`{code.value}`" for code in ErrorCode]
    assert all(what and remedy for _, what, remedy, _ in rows)


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_links_and_pictures_of_the_documentation_are_there(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    targets = [link for link in _LINK.findall(text) if "://" not in link]
    assert [link for link in targets if not (DOCS / link).exists()] == []


def test_pictures_are_small_and_used():
    used = {
        Path(link).name
        for path in [ROOT / "README.md", *DOCS.rglob("*.md")]
        for link in _LINK.findall(path.read_text(encoding="utf-8"))
    }
    for picture in (DOCS / "pictures").iterdir():
        assert picture.name in used
        assert picture.stat().st_size < MOST_BYTES
