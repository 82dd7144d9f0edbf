# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The COLMAP solver stops at once: on cancel, when its parent dies, and when COLMAP crashes."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from da3_blender.contract.errors import CancelledError, EngineError, ErrorCode
from da3_blender.solve import STAGES, solve_cameras
from da3_blender.solve.colmap_process import ColmapProcesses
from da3_blender.solve.work_folder import WorkFolder
from tests.engine.test_solve_scene import SETTINGS, ArraySource, Listener, render_photos

pytest.importorskip("pycolmap", reason="needs the engine's environment")

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("stage", [label for label, _ in STAGES])
def test_cancel_returns_at_once(stage, tmp_path):
    photos = render_photos()
    # Enough work for every stage to last longer than the half second before the cancel.
    finding, matching, placing = (label for label, _ in STAGES)
    work = {
        finding: [photo.repeat(3, axis=0).repeat(3, axis=1) for photo in photos],
        matching: photos * 3,
        placing: photos * 2,
    }
    settings = replace(SETTINGS, max_features=3000 if stage == placing else 20_000)
    listener = Listener(cancel_in=stage)
    with pytest.raises(CancelledError):
        solve_cameras(ArraySource(work[stage]), tmp_path, settings, listener.progress)
    assert listener.cancelled_at is not None
    assert listener.reports[-1][0] == stage
    assert time.monotonic() - listener.cancelled_at < 2


def test_the_child_ends_when_its_parent_dies(tmp_path):
    """A parent that is killed in the middle of matching leaves no process behind."""
    np.save(tmp_path / "photos.npy", np.stack(render_photos() * 3))
    script = tmp_path / "parent.py"
    script.write_text(PARENT, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen(
        [sys.executable, "-P", str(script), str(tmp_path)],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    child = json.loads(parent.stdout.readline())["child"]
    assert is_alive(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(child)


def start_process(folder):
    folder = WorkFolder(folder)
    folder.make()
    processes = ColmapProcesses(folder, Listener().progress)
    processes.start(0)
    return processes


def test_a_killed_process_reads_as_out_of_memory(tmp_path):
    with start_process(tmp_path) as processes:
        os.kill(processes._processes[0].pid, signal.SIGKILL)
        with pytest.raises(EngineError, match="memory") as caught:
            processes.receive()
    assert caught.value.code is ErrorCode.OUT_OF_MEMORY
    assert "1600" in caught.value.hint


def test_a_crash_is_told_with_its_last_line(tmp_path):
    with start_process(tmp_path) as processes:
        processes.send(0, "extract", view=7, width=4, height=4, max_features=9)
        with pytest.raises(EngineError, match=r"exit code 1 .*pixels_000007\.npy") as caught:
            processes.receive()
    assert caught.value.code is ErrorCode.ENGINE_BROKEN


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(EngineError, match="file") as caught:
        solve_cameras(
            ArraySource(render_photos()[:2]), tmp_path / "file", SETTINGS, Listener().progress
        )
    assert caught.value.code is ErrorCode.OUTPUT_UNWRITABLE


def is_alive(pid):
    """Tell whether a process runs; one that ended but was not waited for does not count."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


PARENT = """
import json, sys
from pathlib import Path
import numpy as np
from da3_blender.contract.progress import Progress
from da3_blender.contract.settings import RunSettings
from da3_blender.contract.views import SourceKind, View
from da3_blender.solve import STAGES, solve_cameras
from da3_blender.solve.colmap_process import ColmapProcesses

folder = Path(sys.argv[1])
photos = np.load(folder / "photos.npy")

class Source:
    kind = SourceKind.PHOTOS
    views = tuple(View(str(i), "", p.shape[1], p.shape[0]) for i, p in enumerate(photos))
    def iterate(self, _least_side, wanted):
        for index in wanted:
            yield index, photos[index]

started = []
start = ColmapProcesses.start
def remember(self, number):
    start(self, number)
    started.append(self._processes[number].pid)
ColmapProcesses.start = remember

def listen(stage, fraction, detail, remaining):
    if stage == STAGES[1][0] and "pairs" in detail:
        print(json.dumps({"child": started[0]}), flush=True)

progress = Progress(listen, lambda: False, lambda text: None)
progress.plan(STAGES)
settings = RunSettings(inputs=("x",), output="y", max_features=20_000)
solve_cameras(Source(), folder / "work", settings, progress)
"""
