# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real worker process with a pipeline that behaves as the first input says.

Runs in a sub-process of the tests in this folder.
"""

# ruff: noqa: EM101, EM102, T201, TRY003 - it misbehaves on purpose
from __future__ import annotations

import ctypes
import errno
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from da3_blender.contract.errors import CancelledError, EngineError, ErrorCode
from da3_blender.contract.models import get_model
from da3_blender.worker.loop import serve

if TYPE_CHECKING:
    from da3_blender.contract.progress import Progress
    from da3_blender.contract.settings import RunSettings

STAGES = (("Reading photos", 1.0), ("Solving cameras", 2.0), ("Writing", 1.0))


class FakePipeline:
    """Each method is one behaviour; `run` calls the one that `inputs[0]` names."""

    def __init__(self) -> None:
        self.runs = 0
        self.work: Path | None = None

    def run(self, settings: RunSettings, progress: Progress) -> dict[str, Any]:
        self.runs += 1
        progress.plan(STAGES)
        progress.begin("Reading photos", settings.inputs[-1])
        result = getattr(self, settings.inputs[0])(settings, progress)
        return {"folder": settings.output, "runs": self.runs, "pid": os.getpid()} | (result or {})

    def check(self, settings: RunSettings, progress: Progress) -> dict[str, Any]:
        """Find one photo; "slow" and "deaf" inputs take their time, "deaf" ones hear nothing."""
        progress.plan([("Looking", 1.0)])
        progress.begin("Looking")
        while settings.inputs[0] in ("slow", "deaf"):
            time.sleep(0.02)
            if settings.inputs[0] == "slow":
                progress.report(0.5, "1 of 2 photos")
        if settings.inputs[0] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        finding = {"name": settings.inputs[0], "kind": "blurred", "text": "looks blurred"}
        return {"folder": "", "views": 2, "findings": [finding], "pid": os.getpid()}

    def fetch(self, model_id: str, progress: Progress, folder: str = "") -> dict[str, Any]:
        """Behave as the model says: large ones are slow, deprecated ones fail."""
        progress.plan([("Downloading the model", 1.0)])
        progress.begin("Downloading the model", model_id)
        if get_model(model_id).is_deprecated:
            raise EngineError(ErrorCode.DOWNLOAD_FAILED, f"No {model_id}.", "Take another.")
        while model_id == "da3-giant":
            progress.report(0.5, "1 of 2 GB")
            time.sleep(0.02)
        if model_id == "da3-large":
            os.kill(os.getpid(), signal.SIGKILL)
        return {"folder": folder or "/models", "model": model_id, "bytes": 7, "pid": os.getpid()}

    def abandon(self) -> None:
        if self.work is not None:
            shutil.rmtree(self.work, ignore_errors=True)

    def begin_files(self, settings: RunSettings) -> None:
        """Begin a result as `ResultWriter` does."""
        output = Path(settings.output)
        self.work = output.with_name(f".{output.name}.{os.getpid()}.part")
        self.work.mkdir(parents=True)
        (self.work / "points.npy").write_bytes(b"half")

    def steps(self, _settings: RunSettings, progress: Progress) -> None:
        for stage, _ in STAGES:
            progress.begin(stage)
            for index in range(4):
                progress.report(index / 4, f"{index} of 4 photos", force=True)
        progress.note("2 of 14 photos got no camera: a.jpg, b.jpg")

    def wait(self, settings: RunSettings, progress: Progress) -> None:
        self.begin_files(settings)
        try:
            while True:
                progress.report(0.5)
                time.sleep(0.02)
        finally:
            self.abandon()

    def find(self, _settings: RunSettings, progress: Progress) -> dict[str, Any]:
        """Find cameras for ever, until the user wants what there is."""
        for count in range(2, 10_000):
            progress.show({"cameras": count, "views": 14, "points": 10 * count, "file": "/x.npz"})
            time.sleep(0.02)
            try:
                progress.report(0.1)
            except CancelledError:
                if not progress.accept_end():
                    raise
                progress.report(0.9)
                return {"cameras": count}
        return {}

    def stuck(self, settings: RunSettings, _progress: Progress) -> None:
        self.begin_files(settings)
        time.sleep(60)

    def stuck_with_gil(self, settings: RunSettings, _progress: Progress) -> None:
        self.begin_files(settings)
        ctypes.PyDLL(None).sleep(60)  # PyDLL keeps the GIL: no other thread of the worker runs

    def stuck_with_child(self, settings: RunSettings, progress: Progress) -> None:
        self.begin_files(settings)
        code = (
            "import subprocess, sys, time;"
            "c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
            "print(c.pid, flush=True); time.sleep(60)"
        )
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        progress.note(f"{child.pid} {child.stdout.readline()}")
        time.sleep(60)

    def finish_anyway(self, _settings: RunSettings, progress: Progress) -> None:
        while not progress.is_cancelled():
            time.sleep(0.02)

    def break_when_cancelled(self, settings: RunSettings, progress: Progress) -> None:
        self.finish_anyway(settings, progress)
        raise RuntimeError("the solver's process ended")

    def kill(self, settings: RunSettings, _progress: Progress) -> None:
        self.begin_files(settings)
        os.kill(os.getpid(), signal.SIGKILL)

    def abort(self, settings: RunSettings, _progress: Progress) -> None:
        self.begin_files(settings)
        os.abort()

    def leave(self, _settings: RunSettings, _progress: Progress) -> None:
        os._exit(7)

    def noise(self, _settings: RunSettings, progress: Progress) -> None:
        print("half a line", end="")
        os.write(1, b'\n{"type": "done", "job": "x"}\n\xff\xfe\n')
        subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
        os.write(1, b"a line without an end")
        progress.note("heard")
        print("übergroß → 日本")

    def read_stdin(self, _settings: RunSettings, _progress: Progress) -> dict[str, Any]:
        return {"read": sys.stdin.read()}

    def raise_error(self, settings: RunSettings, _progress: Progress) -> None:
        logging.getLogger("solver").warning("Looking into %s", settings.output)
        raise ValueError(f"no such thing\nin {settings.output}")

    def memory(self, _settings: RunSettings, _progress: Progress) -> None:
        raise MemoryError("Unable to allocate 12.0 GiB")

    def torch_memory(self, _settings: RunSettings, _progress: Progress) -> None:
        raise RuntimeError("[enforce fail at alloc.cpp] DefaultCPUAllocator: can't allocate memory")

    def disk(self, settings: RunSettings, _progress: Progress) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), settings.output)

    def missing_module(self, _settings: RunSettings, _progress: Progress) -> None:
        import a_module_that_is_not_there  # noqa: F401

    def engine_error(self, _settings: RunSettings, _progress: Progress) -> None:
        raise EngineError(ErrorCode.INPUT_TOO_FEW, "Only 1 photo in /données/é.", "Add photos.")

    def exit(self, _settings: RunSettings, _progress: Progress) -> None:
        sys.exit(5)

    def bad_summary(self, _settings: RunSettings, _progress: Progress) -> dict[str, Any]:
        return {"points": float("nan")}

    def modules(self, _settings: RunSettings, _progress: Progress) -> dict[str, Any]:
        return {"modules": sorted(sys.modules)}


if __name__ == "__main__":
    serve(FakePipeline)
