# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real worker killed at random moments of real runs, in every stage.

Runs in the engine: COLMAP and a tiny network with random weights on five small photos. A few kills
by default; `DA3_KILLS=100` makes a hundred, and `DA3_SEED` begins with other moments.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from da3_blender.client.engine import EngineClient
from da3_blender.client.job import JobState
from da3_blender.client.launch import worker_command
from da3_blender.contract.errors import ErrorCode
from da3_blender.contract.result_folder import load_result
from da3_blender.contract.settings import RunSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("torch")
pytest.importorskip("pycolmap")
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="looks at the processes of Linux"
)

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples" / "courtyard"
KILLS: Final = int(os.environ.get("DA3_KILLS", "6"))
MARK: Final = "DA3_KILL_TEST"
TICK_S: Final = 0.003
AGAIN: Final = "one view again"  # in the result of the route before it
STARTING: Final = "(starting)"  # before the worker has said anything about the job
PATIENCE_S: Final = 120
HAS_EARLIER: Final = 0.4  # share of runs that would replace an earlier result


class Kill(NamedTuple):
    """What one kill met: the way through the engine, and the stage that was being done."""

    route: str
    stage: str


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    from PIL import Image

    folder = tmp_path_factory.mktemp("photos")
    for path in sorted(SAMPLES.glob("*.jpg"))[4:9]:
        with Image.open(path) as photo:
            photo.resize((630, 420)).save(folder / path.name, quality=92)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A da3-tiny that gives finite depth and nothing that means anything."""
    import torch
    from safetensors.torch import save_file

    from da3_blender.inference.weights import build_empty_network, official_key
    from da3_blender.network.presets import PRESETS

    generator = torch.Generator().manual_seed(4)
    state = {}
    for name, parameter in build_empty_network(PRESETS["da3-tiny"]).state_dict().items():
        value = 0.03 * torch.randn(parameter.shape, generator=generator)
        if name.endswith("gamma") or ("norm" in name and name.endswith("weight")):
            value += 1
        if name.endswith("fc_fov.0.bias"):
            value = torch.ones(2)
        if name.endswith("fc_qvec.bias"):
            value = torch.tensor([0.0, 0, 0, 1])
        state[official_key(name)] = value
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_file(state, path)
    return path


@pytest.fixture
def routes(photos: Path, weights: Path, tmp_path: Path) -> dict[str, RunSettings]:
    """The ways through the engine; together they enter all stages."""
    common = {
        "inputs": (str(photos),),
        "output": str(tmp_path / "made" / "result"),
        "model": "da3-tiny",
        "max_features": 1500,
    }
    tiny = common | {"checkpoint": str(weights)}
    view = sorted(photos.iterdir())[2].name
    again = tiny | {"reuse": common["output"], "only_views": (view,)}
    return {
        "COLMAP": RunSettings(cameras="COLMAP", **common | {"model": "da3-base"}),
        "COLMAP + DA3": RunSettings(cameras="COLMAP", **tiny),
        "DA3": RunSettings(cameras="DA3", **tiny),
        AGAIN: RunSettings(cameras="DA3", **again),
    }


@pytest.fixture
def marked(tmp_path: Path, environment: dict[str, str]) -> dict[str, str]:
    """An environment by which all processes of this test are known, and their temporary files."""
    for name in ("temporary", "hub"):
        (tmp_path / name).mkdir()
    return environment | {
        MARK: uuid.uuid4().hex,
        "TMPDIR": str(tmp_path / "temporary"),
        "HF_HOME": str(tmp_path / "hub"),
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture
def client(marked: dict[str, str]) -> Iterator[EngineClient]:
    made = EngineClient(worker_command(Path(sys.executable)), marked, PATIENCE_S)
    yield made
    made.shut_down()


def list_marked(mark: str) -> list[int]:
    """Return the processes that inherited the mark and live."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                environment = (folder / "environ").read_bytes()
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except (OSError, ValueError):  # it ended while we looked
                continue
            if f"{MARK}={mark}".encode() in environment.split(b"\0") and state not in "ZX":
                found.append(int(folder.name))
    return found


def run_to_the_end(client: EngineClient, settings: RunSettings) -> list[tuple[str, float]]:
    """Do a run and return its stages with the seconds that each took."""
    job = client.start_job(settings)
    seen = [(STARTING, time.monotonic())]
    while not job.is_over:
        client.tick()
        if job.stage and job.stage != seen[-1][0]:
            seen.append((job.stage, time.monotonic()))
        assert time.monotonic() - seen[0][1] < PATIENCE_S
        time.sleep(TICK_S)
    assert job.state is JobState.DONE, job.error
    ends = [when for _, when in seen[1:]] + [time.monotonic()]
    return [(name, end - begin) for (name, begin), end in zip(seen, ends, strict=True)]


def kill_in_stage(
    client: EngineClient, settings: RunSettings, stage: str, delay_s: float
) -> tuple[JobState, str]:
    """Begin a run, kill the worker some time after a stage began, and wait for the last word.

    Returns:
        How the job ended, and the stage that it was in.
    """
    job = client.start_job(settings)
    pid = client._process.pid  # also before it is ready
    began_s = time.monotonic()
    while not job.is_over and stage not in (STARTING, job.stage):
        client.tick()
        assert time.monotonic() - began_s < PATIENCE_S
        time.sleep(TICK_S)
    reached_s = time.monotonic()
    while not job.is_over and time.monotonic() - reached_s < delay_s:
        client.tick()
        time.sleep(TICK_S)
    met = job.stage or STARTING
    if client.is_alive:
        os.kill(pid, signal.SIGKILL)
    killed_s = time.monotonic()
    while not job.is_over:
        client.tick()
        assert time.monotonic() - killed_s < 5, "the job must end soon after its worker"
        time.sleep(TICK_S)
    if job.state is JobState.FAILED:
        check_sentence(job.error, settings)
    return job.state, met


def check_sentence(error, settings) -> None:
    assert error.code is ErrorCode.ENGINE_DIED
    assert "SIGKILL" in error.message
    assert error.message.endswith(".")
    assert "run again" in error.hint.lower()
    assert "Traceback" not in str(error)
    assert settings.output not in error.hint


def check_nothing_left(mark: str, tmp_path: Path, *, has_earlier: bool) -> None:
    """No process, no file of the run; an earlier result is complete."""
    end_s = time.monotonic() + 3  # what was killed may take a moment to be gone
    while (left := list_marked(mark)) and time.monotonic() < end_s:
        time.sleep(0.01)
    assert left == []
    assert list((tmp_path / "temporary").iterdir()) == []
    made = tmp_path / "made"
    if not has_earlier:
        assert not made.exists()
        return
    assert [path.name for path in made.iterdir()] == ["result"]
    check_complete(made / "result")


def check_complete(folder: Path) -> None:
    result = load_result(folder)
    for name in result.manifest["arrays"]:
        assert len(result.load(name))
    assert all(result.photo_path(view).is_file() for view in result.views)


def test_kills_at_random_moments_leave_nothing_and_the_next_job_works(
    client, marked, routes, tmp_path, capsys
):
    chance = random.Random(int(os.environ.get("DA3_SEED", "3")))  # noqa: S311 - not a secret
    mark, met = marked[MARK], []
    stages: list[tuple[str, str, float]] = []
    for route, settings in routes.items():
        timed = run_to_the_end(client, settings)
        client.shut_down()  # so that the next run also starts a worker
        stages += [(route, stage, seconds) for stage, seconds in timed]
        check_complete(Path(settings.output))
    (tmp_path / "made").rename(tmp_path / "earlier")
    order: list[tuple[str, str, float]] = []
    while len(met) < KILLS:
        if not order:
            order = chance.sample(stages, len(stages))  # every stage before any comes again
        route, stage, seconds = order.pop()
        has_earlier = route == AGAIN or chance.random() < HAS_EARLIER
        shutil.rmtree(tmp_path / "made", ignore_errors=True)
        if has_earlier:
            shutil.copytree(tmp_path / "earlier", tmp_path / "made")
        state, where = kill_in_stage(client, routes[route], stage, seconds * chance.random())
        if state is JobState.DONE:  # too late
            check_complete(tmp_path / "made" / "result")
            client.shut_down()
            continue
        assert state is JobState.FAILED
        met.append(Kill(route, where))
        check_nothing_left(mark, tmp_path, has_earlier=has_earlier)
    last = routes["COLMAP"]
    run_to_the_end(client, last)
    check_complete(Path(last.output))
    with capsys.disabled():
        counts = Counter(f"{kill.route}: {kill.stage}" for kill in met)
        lines = [f"{count:4d}  {where}" for where, count in sorted(counts.items())]
        print(f"\n{len(met)} kills\n" + "\n".join(lines))  # noqa: T201 - the figures
