# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what uv prints to a sentence with a remedy.

Runs in the installer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ..contract.errors import EngineError, ErrorCode
from ..contract.setup_request import FOLDER

if TYPE_CHECKING:
    from ..contract.setup_request import SetupRequest

_DISK_FULL: Final = re.compile(
    r"no space left|os error 28\b|not enough space|disk full|os error 112\b|quota exceeded",
    re.IGNORECASE,
)
_DENIED: Final = re.compile(r"permission denied|access is denied|os error (13|5)\b", re.IGNORECASE)
_CERTIFICATE: Final = re.compile(r"certificate|UnknownIssuer|tls handshake", re.IGNORECASE)
_NETWORK: Final = re.compile(
    r"dns error|error sending request|timed out|connection (refused|reset)|failed to fetch"
    r"|network connectivity is disabled|client error|HTTP status",
    re.IGNORECASE,
)
_HASH: Final = re.compile(r"hash mismatch for `?([\w.=+-]+)`?", re.IGNORECASE)
_NO_SOLUTION: Final = re.compile(r"no solution found", re.IGNORECASE)
_LONGEST: Final = 300
_NETWORK_HINT: Final = (
    "Check the network and try again, or choose Install from Folder; a mirror can be named in "
    "the preferences."
)


def explain_uv_failure(exit_code: int, stderr: str, request: SetupRequest) -> EngineError:
    """Return the error for a call of uv that failed.

    Args:
        exit_code: of uv.
        stderr: what it printed.
        request: where packages were looked for.
    """
    reason = find_reason(stderr) or f"exit code {exit_code}"
    if _DISK_FULL.search(stderr):
        return explain_full_disk(request.home)
    if mismatch := _HASH.search(stderr):
        return explain_mismatch(mismatch[1])
    if _NO_SOLUTION.search(stderr):
        return _explain_no_solution(reason, request)
    return _explain_reach(stderr, reason, request)


def _explain_reach(stderr: str, reason: str, request: SetupRequest) -> EngineError:
    """Return the error for what uv could not get at: a server, or a folder."""
    if _CERTIFICATE.search(stderr):
        return EngineError(
            ErrorCode.DOWNLOAD_FAILED,
            f"The server's certificate was not accepted ({reason}).",
            "Ask for your network's certificate to be added to this system, or install from a "
            "folder.",
        )
    if _DENIED.search(stderr):
        return explain_denied(request.home, reason)
    if _NETWORK.search(stderr):
        return EngineError(
            ErrorCode.DOWNLOAD_FAILED, f"A download failed ({reason}).", _NETWORK_HINT
        )
    return EngineError(
        ErrorCode.SETUP_FAILED,
        f"uv could not do its part ({reason}).",
        "Try again; if it stays, copy the report and file an issue.",
    )


def find_reason(stderr: str) -> str:
    """Return the most telling lines of uv: the error and its innermost cause, one line."""
    errors = [line.strip() for line in stderr.splitlines() if line.strip()]
    causes = [line.removeprefix("cause:").strip() for line in errors if line.startswith("cause:")]
    heads = [line.removeprefix("error:").strip() for line in errors if line.startswith("error:")]
    chosen = [*heads[:1], *causes[:1], *causes[-1:]]
    unique = list(dict.fromkeys(chosen)) or errors[-1:]
    return ": ".join(unique)[:_LONGEST].rstrip(".")


def explain_full_disk(place: str) -> EngineError:
    """Return the error for a disk that became full."""
    return EngineError(
        ErrorCode.DISK_FULL,
        f"The disk of {place} is full.",
        "Free some space, or choose another engine folder in the preferences; what has arrived "
        "is kept.",
    )


def explain_denied(place: str, reason: str) -> EngineError:
    """Return the error for a folder that may not be written."""
    return EngineError(
        ErrorCode.OUTPUT_UNWRITABLE,
        f"The folder {place} cannot be written ({reason}).",
        "Choose another engine folder in the preferences, or allow writing there.",
    )


def explain_mismatch(name: str) -> EngineError:
    """Return the error for a package that is not the one that was locked."""
    return EngineError(
        ErrorCode.SETUP_FAILED,
        f"The package {name} is not the one that this version was made with (its hash differs).",
        "Try again; if it stays, the mirror or folder offers another file, or something on the "
        "way changes downloads.",
    )


def _explain_no_solution(reason: str, request: SetupRequest) -> EngineError:
    if request.source == FOLDER:
        return EngineError(
            ErrorCode.SETUP_FAILED,
            f"The folder {request.folder} does not hold all packages ({reason}).",
            "docs/setup.md tells how to collect the folder.",
        )
    return EngineError(
        ErrorCode.SETUP_FAILED,
        f"Not all packages can be had for this system ({reason}).",
        "Check the indexes in the preferences, or choose the processor's build of torch.",
    )
