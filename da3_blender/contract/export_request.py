# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender asks of the engine for a result that exists: files for other programs.

Runs in both processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from .errors import EngineError, ErrorCode
from .names import EXPORT_FORMATS


@dataclass(frozen=True)
class ExportRequest:
    """One export.

    Args:
        result: absolute path of the results folder.
        out: absolute path of the folder for the files.
        formats: keys of `EXPORT_FORMATS`.
    """

    result: str
    out: str
    formats: tuple[str, ...]

    def check(self) -> None:
        """Check that something known is asked for.

        Raises:
            EngineError: SETTINGS_INVALID.
        """
        unknown = [name for name in self.formats if name not in EXPORT_FORMATS]
        if unknown or not self.formats or not self.result or not self.out:
            what = f"no export {unknown[0]}" if unknown else "nothing to export"
            raise EngineError(
                ErrorCode.SETTINGS_INVALID,
                f"There is {what}.",
                "Choose a folder and one or more formats.",
            )

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a message."""
        return {"result": self.result, "out": self.out, "formats": list(self.formats)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ExportRequest:
        """Read what `to_json` wrote; anything else becomes empty, which `check` refuses."""
        formats = data.get("formats")
        names = cast("list[object]", formats) if isinstance(formats, list) else []
        return cls(
            str(data.get("result", "")),
            str(data.get("out", "")),
            tuple(str(name) for name in names),
        )
