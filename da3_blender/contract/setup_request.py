# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender's side asks of the installer: one message, all choices in it.

Runs in both processes. The installer answers with the worker's messages: progress, note, and
one of done, failed and cancelled.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Final

INSTALL: Final = "install"
REPAIR: Final = "repair"
CHECK: Final = "check"
REMOVE: Final = "remove"
ACTIONS: Final = (INSTALL, REPAIR, CHECK, REMOVE)

ONLINE: Final = "online"
FOLDER: Final = "folder"

PYTHON_AUTO: Final = "auto"
PYTHON_MANAGED: Final = "managed"
PYTHON_BLENDER: Final = "blender"
PYTHON_CHOSEN: Final = "chosen"

BACKEND_AUTO: Final = "auto"
BACKEND_CPU: Final = "cpu"


@dataclass(frozen=True)
class SetupRequest:
    """One thing to do with the engine's environment.

    Attributes:
        action: one of ACTIONS.
        home: folder of `EngineHome`.
        extension_root: folder that holds the package `da3_blender`.
        uv: the program, executable or not; "" looks on the PATH.
        source: ONLINE, or FOLDER for wheels in `folder` and nothing else.
        folder: of wheels; may also hold a build of Python.
        python: where the engine's Python comes from: one of the PYTHON_ values.
        python_path: interpreter for PYTHON_CHOSEN.
        blender_python: interpreter that Blender runs on; "" if it is not known.
        backend: BACKEND_AUTO asks the driver, BACKEND_CPU takes the small build of torch.
        default_index: package index in place of PyPI, or "".
        extra_index: searched before the default index, or "".
        torch_index: index with builds of torch, or "" for that of PyTorch.
        python_mirror: in place of the place where uv finds builds of Python, or "".
        device: for the self-test: "auto", "cpu", "cuda" or "mps".
    """

    action: str
    home: str
    extension_root: str
    uv: str = ""
    source: str = ONLINE
    folder: str = ""
    python: str = PYTHON_AUTO
    python_path: str = ""
    blender_python: str = ""
    backend: str = BACKEND_AUTO
    default_index: str = ""
    extra_index: str = ""
    torch_index: str = ""
    python_mirror: str = ""
    device: str = "auto"

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a message."""
        return asdict(self)


def request_from_json(data: dict[str, Any]) -> SetupRequest:
    """Build a request from `to_json`'s dictionary.

    Raises:
        ValueError: a value is missing, unknown, or no text.
    """
    known = {item.name for item in fields(SetupRequest)}
    if set(data) - known or not all(isinstance(value, str) for value in data.values()):
        message = f"not a request: {data}"
        raise ValueError(message)
    try:
        request = SetupRequest(**data)
    except TypeError as error:
        raise ValueError(str(error)) from error
    if request.action not in ACTIONS:
        message = f"there is no action {request.action!r}"
        raise ValueError(message)
    return request
