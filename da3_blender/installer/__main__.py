# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry point of the installer: one request in, messages out, the end with the end of stdin.

Runs in the installer, started as `python -P -s -u -m da3_blender.installer`.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, Final, NoReturn

from ..contract import protocol
from ..contract.engine_home import EngineHome
from ..contract.errors import CancelledError, EngineError, ErrorCode
from ..contract.masking import mask_private
from ..contract.progress import Progress
from ..contract.setup_request import (
    CHECK,
    INSTALL,
    REMOVE,
    REPAIR,
    SetupRequest,
    request_from_json,
)
from .install import install
from .owner import own
from .programs import Programs, step_back
from .upkeep import check, remove, repair
from .uv_failures import explain_denied, explain_full_disk
from .work import Work

_ACTIONS: Final = {INSTALL: install, REPAIR: repair, CHECK: check, REMOVE: remove}
_GRACE_S: Final = 1.2  # for the main thread to say that it was cancelled
_LOG_LINES: Final = 40


class Installer:
    """One request, from its line on stdin to its last word on stdout."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._programs = Programs(self._cancelled)
        self._lock = threading.Lock()

    def serve(self) -> int:
        """Read the request, carry it out, and say how it ended; return the exit code."""
        line = sys.stdin.readline()
        if not line:
            return 0
        try:
            request = request_from_json(protocol.decode(line).get("request", {}))
        except ValueError as error:
            self._fail(EngineError(ErrorCode.INTERNAL, f"{error}.", "File an issue."))
            return 1
        threading.Thread(target=self._listen, daemon=True).start()
        error = self._carry_out(request)
        if error is not None:
            self._fail(error)
        return 0 if error is None else 1

    def _carry_out(self, request: SetupRequest) -> EngineError | None:
        """Do what was asked and say so; return what went wrong."""
        progress = Progress(self._report, self._cancelled.is_set, self._note)
        work = Work(request, self._programs, progress, self._cancelled)
        try:
            with own(EngineHome(Path(request.home)).lock_file):
                findings = _ACTIONS[request.action](work)
        except CancelledError:
            self._send(protocol.CANCELLED)
        except EngineError as error:
            return error
        except OSError as error:
            return _explain_system(error, request.home)
        except Exception as error:  # noqa: BLE001 - the entry point: all becomes a sentence
            traceback.print_exc()  # to stderr, which is the log
            return EngineError(
                ErrorCode.INTERNAL,
                f"The set-up met an error that it does not know ({type(error).__name__}: {error}).",
                "Copy the report and file an issue.",
            )
        else:
            self._send(protocol.DONE, findings=findings, log=self._read_log())
        return None

    def _listen(self) -> None:
        """Wait for a cancel or for the end of Blender."""
        for line in sys.stdin:
            if protocol.decode(line)["type"] == protocol.CANCEL:
                self._cancelled.set()
                last = threading.Timer(_GRACE_S, self._give_up)
                last.daemon = True
                last.start()
        self._cancelled.set()
        self._programs.kill()
        os._exit(1)

    def _give_up(self) -> None:
        """The main thread hangs, in a slow download for example: end without it."""
        self._programs.kill()
        self._send(protocol.CANCELLED)
        os._exit(1)

    def _report(self, stage: str, fraction: float, detail: str, remaining_s: float | None) -> None:
        self._send(
            protocol.PROGRESS,
            stage=stage,
            fraction=fraction,
            detail=detail,
            remaining_s=remaining_s,
        )

    def _note(self, text: str) -> None:
        self._send(protocol.NOTE, text=mask_private(text))

    def _fail(self, error: EngineError) -> None:
        self._send(protocol.FAILED, error=error.to_json(), log=self._read_log())

    def _read_log(self) -> list[str]:
        return [mask_private(line) for line in list(self._programs.log)[-_LOG_LINES:]]

    def _send(self, kind: str, **content: Any) -> None:  # noqa: ANN401 - any JSON value
        with self._lock:
            try:
                sys.stdout.write(protocol.encode(kind, **content))
                sys.stdout.flush()
            except OSError:  # nobody reads any more: Blender is gone
                self._programs.kill()
                os._exit(1)


def _explain_system(error: OSError, home: str) -> EngineError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return explain_full_disk(home)
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return explain_denied(str(error.filename or home), error.strerror or str(error))
    return EngineError(
        ErrorCode.SETUP_FAILED,
        f"The set-up could not use the disk ({error}).",
        "Try again; if it stays, choose another engine folder in the preferences.",
    )


def main() -> NoReturn:
    """Serve one request and end at once.

    A thread waits in stdin, which Python cannot close at a usual end.
    """
    step_back()
    code = Installer().serve()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
