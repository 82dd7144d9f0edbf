# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages between Blender's side and the worker: one JSON object per line.

Runs in both processes.

worker -> client: `ready` (first, once), then per job any number of `progress`, `note` and
`preview`, and exactly one of `done`, `failed`, `cancelled`.
client -> worker: `run`, `fetch`, `check`, `export`, `finish`, `cancel`, `quit`. EOF on the worker's
stdin ends it at once.
"""

from __future__ import annotations

import json
from typing import Any, Final, cast

PROTOCOL: Final = 3
VERSION: Final = "0.1.0"

READY: Final = "ready"  # protocol, version, pid, python
DEVICE: Final = "device"  # device: DeviceFacts; when idle after `ready` and after each job
PROGRESS: Final = "progress"  # job, stage, fraction (whole job), detail, remaining_s or null
NOTE: Final = "note"  # job, text: a fact that the user should read
PREVIEW: Final = "preview"  # job, cameras, views, points, file: what is found so far, as .npz
DONE: Final = "done"  # job, folder, summary: {views, cameras, points, ...} or {model, bytes}
FAILED: Final = "failed"  # job, error: {code, message, hint}, log: last lines
CANCELLED: Final = "cancelled"  # job
RUN: Final = "run"  # job, settings
FETCH: Final = "fetch"  # job, model, folder: download its weights; "" is the usual cache
CHECK: Final = "check"  # job, settings: look for photos that will not do; done has the findings
EXPORT: Final = "export"  # job, export: ExportRequest; done has folder and files
FINISH: Final = "finish"  # job: stop here and keep what exists; done follows, or cancelled
CANCEL: Final = "cancel"  # job
QUIT: Final = "quit"

LAST_WORDS: Final = (DONE, FAILED, CANCELLED)
MAX_LINE_BYTES: Final = 4_000_000


def encode(kind: str, **content: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return one message as a line, newline included; strings are escaped to ASCII."""
    return json.dumps({"type": kind, **content}, ensure_ascii=True, allow_nan=False) + "\n"


def decode(line: str) -> dict[str, Any]:
    """Read one line.

    Raises:
        ValueError: it is not a JSON object with a string `type`.
    """
    if len(line) > MAX_LINE_BYTES:
        message = f"a message of {len(line)} bytes is too long"
        raise ValueError(message)
    content = json.loads(line)
    message = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
    if not isinstance(message.get("type"), str):
        text = "not a message"
        raise ValueError(text)  # noqa: TRY004 - a bad value from outside, not a wrong call
    return message
