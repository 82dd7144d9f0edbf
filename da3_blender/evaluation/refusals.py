# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences about a scene that cannot be measured.

Runs in the engine.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..contract.errors import EngineError, ErrorCode

if TYPE_CHECKING:
    from pathlib import Path

LAYOUT_HINT = "docs/evaluation.md describes the layout of a scene."


def refuse(
    path: Path, why: str, hint: str = LAYOUT_HINT, code: ErrorCode = ErrorCode.INPUT_MISMATCH
) -> EngineError:
    """Return the error "PATH cannot be used: WHY." with what to do about it."""
    return EngineError(code, f"{path} cannot be used: {why}.", hint)


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds one object.

    Raises:
        EngineError: INPUT_UNREADABLE with the path.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = f"it is no readable JSON file ({error})"
        raise refuse(path, why, code=ErrorCode.INPUT_UNREADABLE) from error
    if not isinstance(content, dict):
        raise refuse(path, "it holds no JSON object", code=ErrorCode.INPUT_UNREADABLE)
    return content
