# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine said about the photos of the input, kept beside the input in the scene.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from typing import TYPE_CHECKING, Any

from bpy.props import StringProperty
from bpy.types import PropertyGroup

if TYPE_CHECKING:
    from .properties import SceneSettings


class InputFile(PropertyGroup):
    """One chosen file; `name` is its name in the folder `input_path`."""


class PhotoFinding(PropertyGroup):
    """One doubtful photo; `name` is that of its file."""

    kind: StringProperty(name="Kind", description="blurred, doubled or lens")
    text: StringProperty(name="Reason", description="What is wrong with it, in words")


def store_check(settings: "SceneSettings", summary: dict[str, Any]) -> None:
    """Keep the answer of a check.

    Args:
        settings: of the scene whose input was checked.
        summary: views, width, height and findings, see `Pipeline.check`.
    """
    forget_check(settings)
    settings.input_views = int(summary.get("views") or 0)
    settings.input_width = int(summary.get("width") or 0)
    settings.input_height = int(summary.get("height") or 0)
    for finding in summary.get("findings") or []:
        item = settings.findings.add()
        item.name = str(finding.get("name", ""))
        item.kind, item.text = str(finding.get("kind", "")), str(finding.get("text", ""))
    settings.is_checked = True


def forget_check(settings: "SceneSettings") -> None:
    """Drop the answer: the input has changed."""
    settings.findings.clear()
    settings.is_checked = False
    settings.input_width = settings.input_height = 0
