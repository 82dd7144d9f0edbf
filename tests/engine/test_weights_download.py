# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding checkpoints and downloading them, from a hub of our own.

Runs in the engine's environment.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")

import huggingface_hub

from da3_blender.contract.errors import CancelledError, EngineError, ErrorCode
from da3_blender.inference import hub_transfer, model_store
from da3_blender.inference.model_store import download_checkpoint, find_local_checkpoint
from tests.engine.local_hub import run_hub

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "place",
    ["model.safetensors", "da3-small.safetensors", "DA3-SMALL/model.safetensors"],
)
def test_find_in_a_folder(tmp_path, place):
    file = tmp_path / place
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"x")
    assert find_local_checkpoint("da3-small", tmp_path) == file
    assert find_local_checkpoint("da3-small", file) == file


def test_find_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    assert find_local_checkpoint("da3-small", tmp_path) is None
    with pytest.raises(EngineError) as error:
        find_local_checkpoint("da3-small", tmp_path / "nowhere")
    assert error.value.code is ErrorCode.CHECKPOINT_MISSING


SIZE = 5_000_000


@pytest.fixture
def hub(monkeypatch):
    if os.environ.get("HF_HUB_OFFLINE"):
        pytest.skip("HF_HUB_OFFLINE is set")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(hub_transfer, "_PAUSE_S", 0.01)
    files = {
        "config.json": b'{"model_name": "da3-small"}',
        "model.safetensors": bytes(range(250)) * (SIZE // 250),
    }
    with run_hub(files) as server:
        yield server


@pytest.fixture
def fetch(hub, tmp_path):
    """Download da3-small from the hub of the test."""

    def run(progress=lambda _done, _total: None, is_cancelled=lambda: False):
        return download_checkpoint("da3-small", progress, is_cancelled, tmp_path, hub.endpoint)

    return run


@pytest.fixture
def fail(fetch, tmp_path):
    """Try the same and return the error."""

    def run(code=ErrorCode.DOWNLOAD_FAILED):
        with pytest.raises(EngineError) as error:
            fetch()
        assert error.value.code is code
        assert error.value.hint.endswith(".")
        assert find_local_checkpoint("da3-small", tmp_path) is None
        return error.value

    return run


def list_parts(folder):
    return [path.stat().st_size for path in folder.rglob("*.incomplete")]


def test_a_download_tells_its_bytes_and_fills_the_cache(hub, fetch, tmp_path):
    told = []
    path = fetch(lambda done, total: told.append((done, total)))
    assert path.read_bytes() == hub.files["model.safetensors"]
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (SIZE, SIZE)
    assert (path.parent / "config.json").read_bytes() == hub.files["config.json"]
    assert find_local_checkpoint("da3-small", tmp_path) == path
    assert list_parts(tmp_path) == []
    # the place where other programs look
    loaded = huggingface_hub.hf_hub_download(
        "depth-anything/DA3-SMALL", "model.safetensors", cache_dir=tmp_path, local_files_only=True
    )
    assert Path(loaded) == path
    # a second time the network is not asked
    hub.requests.clear()
    assert fetch() == path
    assert hub.requests == []


def test_bytes_are_told_while_they_arrive(hub, fetch):
    hub.stalls_at = SIZE // 2
    told = []

    def listen(done, total):
        told.append((done, total))
        if done == SIZE // 2:
            hub.go_on.set()

    fetch(listen)
    assert (SIZE // 2, SIZE) in told


def test_a_cache_without_links_holds_the_file_once(hub, fetch, tmp_path, monkeypatch):
    # Windows without developer mode
    for module in (model_store, huggingface_hub.file_download):
        monkeypatch.setattr(module, "are_symlinks_supported", lambda _cache=None: False)
    path = fetch()
    assert not path.is_symlink()
    large = [p for p in tmp_path.rglob("*") if p.is_file() and p.stat().st_size == SIZE]
    assert large == [path]
    assert find_local_checkpoint("da3-small", tmp_path) == path


def test_a_broken_connection_is_taken_up_again(hub, fetch):
    hub.breaks = [SIZE // 2, SIZE // 4]
    path = fetch()
    assert path.read_bytes() == hub.files["model.safetensors"]
    assert hub.ranges == [0, SIZE // 2, SIZE // 4 * 3]


def test_a_hub_that_is_busy_is_asked_again(hub, fetch):
    hub.body_refusals = [503, 429]
    assert fetch().read_bytes() == hub.files["model.safetensors"]
    assert len(hub.ranges) == 3


def test_a_connection_that_breaks_again_and_again_ends_with_a_sentence(hub, fail, fetch, tmp_path):
    hub.breaks = [SIZE // 2, 0, 0, 0, 0, 0, 0]
    error = fail()
    assert "broke off" in error.message
    assert len(hub.ranges) == 4
    assert list_parts(tmp_path) == [SIZE // 2]
    hub.breaks.clear()
    hub.ranges.clear()
    assert fetch().read_bytes() == hub.files["model.safetensors"]
    assert hub.ranges == [SIZE // 2]


def test_a_cancel_does_not_wait_for_the_network_and_keeps_what_came(hub, fetch, tmp_path):
    hub.stalls_at = SIZE // 2
    here = []
    with pytest.raises(CancelledError):
        fetch(lambda done, _total: here.append(done), lambda: bool(here) and here[-1] == SIZE // 2)
    assert not hub.go_on.is_set()
    assert find_local_checkpoint("da3-small", tmp_path) is None
    assert list_parts(tmp_path) == [SIZE // 2]
    hub.stalls_at = None
    hub.go_on.set()
    assert fetch().read_bytes() == hub.files["model.safetensors"]
    assert hub.ranges == [0, SIZE // 2]


@pytest.fixture
def silence(monkeypatch):
    """Questions to the hub are answered after the test only."""
    end = threading.Event()

    def wait(*_args, **_kwargs):
        end.wait(60)
        raise ConnectionError

    monkeypatch.setattr(hub_transfer, "get_hf_file_metadata", wait)
    yield
    end.set()


@pytest.mark.usefixtures("silence")
def test_a_cancel_does_not_wait_for_an_answer(fetch):
    with pytest.raises(CancelledError):
        fetch(is_cancelled=lambda: True)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_download_goes_on_after_a_crash(hub, fetch, tmp_path):
    hub.stalls_at = SIZE // 2
    code = (
        "from da3_blender.inference.model_store import download_checkpoint\n"
        "download_checkpoint('da3-small', lambda done, total: print(done, flush=True))\n"
    )
    with start_python(code, HF_ENDPOINT=hub.endpoint, HF_HUB_CACHE=str(tmp_path)) as process:
        assert any(int(line) == SIZE // 2 for line in process.stdout)
        process.kill()
    hub.stalls_at = None
    told = []
    path = fetch(lambda done, _total: told.append(done))
    assert path.read_bytes() == hub.files["model.safetensors"]
    assert hub.ranges == [0, SIZE // 2]


def test_a_server_that_cannot_go_on_begins_again(hub, fetch):
    hub.breaks = [SIZE // 2]
    hub.has_ranges = False
    assert fetch().read_bytes() == hub.files["model.safetensors"]
    assert hub.ranges == [0, SIZE // 2]


def test_a_part_that_is_too_long_is_dropped(hub, fetch, tmp_path):
    hub.breaks = [0] * 9
    with pytest.raises(EngineError):
        fetch()
    part = next(tmp_path.rglob("*.incomplete"))
    part.write_bytes(b"x" * (SIZE + 1))
    hub.breaks.clear()
    assert fetch().read_bytes() == hub.files["model.safetensors"]


def test_a_wrong_checksum_is_refused_and_the_file_deleted(hub, fail, fetch, tmp_path):
    hub.wrong_sum = "ab" * 32
    error = fail()
    assert "damaged" in error.message
    assert hub.wrong_sum in error.message
    assert list_parts(tmp_path) == []
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p.stat().st_size == SIZE]
    hub.wrong_sum = None
    assert fetch().read_bytes() == hub.files["model.safetensors"]


def test_a_part_that_was_damaged_on_the_disk_is_noticed(hub, fail, fetch, tmp_path):
    hub.breaks = [SIZE // 2, *([0] * 9)]
    fail()
    part = next(tmp_path.rglob("*.incomplete"))
    part.write_bytes(b"\0" * (SIZE // 2))
    hub.breaks.clear()
    assert "damaged" in fail().message
    assert fetch().read_bytes() == hub.files["model.safetensors"]


def test_two_at_once_fetch_once(hub, fetch):
    hub.stalls_at = SIZE // 2
    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = [pool.submit(fetch) for _ in range(2)]
        assert hub.stalled.wait(20)
        hub.go_on.set()
        first, second = (run.result() for run in runs)
    assert first == second
    assert hub.ranges == [0]


def test_no_config_is_no_trouble(hub, fetch):
    del hub.files["config.json"]
    assert fetch().is_file()


def test_no_weights(hub, fail):
    del hub.files["model.safetensors"]
    assert "no such file" in fail().message


@pytest.mark.parametrize(
    ("refusal", "message", "hint"),
    [
        ((401, None), "does not give access (status 401)", "HF_TOKEN"),
        ((403, None), "does not give access (status 403)", "licence"),
        ((403, "GatedRepo"), "accept the licence", "Apache 2.0"),
        ((404, "RepoNotFound"), "no such model", "HF_ENDPOINT"),
        ((500, None), "status 500", "later"),
    ],
)
def test_refusals_are_explained(hub, fail, refusal, message, hint):
    hub.refusal = refusal
    error = fail()
    assert message in error.message
    assert hint in error.hint
    assert "https://huggingface.co/depth-anything/DA3-SMALL" in error.hint
    assert len(hub.requests) == 1, "it asked again although the answer was clear"


def test_a_token_opens_the_hub_and_goes_nowhere_else(hub, fail, fetch, monkeypatch):
    hub.token = "hf_good"  # noqa: S105 - a made-up one
    assert "HF_TOKEN" in fail().hint
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    with run_hub(hub.files) as store:
        # another host by name
        hub.large_files_at = store.endpoint.replace("127.0.0.1", "localhost")
        assert fetch().read_bytes() == hub.files["model.safetensors"]
        assert store.ranges == [0]
        assert set(store.tokens) == {None}


def test_a_hub_that_is_down_cannot_be_reached(hub, fail):
    hub.shutdown()
    hub.socket.close()
    assert "cannot be reached" in fail().message


def test_a_silent_network_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_ETAG_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(EngineError, match="cannot be reached"):
            download_checkpoint("da3-small", print, cache_dir=tmp_path, endpoint=endpoint)


@pytest.mark.usefixtures("silence")
def test_a_name_that_is_not_found_out_is_given_up(fail, monkeypatch):
    # the system's look-up of names has no time limit of its own
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_ETAG_TIMEOUT", 0.1)
    monkeypatch.setattr(model_store, "_NAME_LOOKUP_S", 0.1)
    assert "cannot be reached" in fail().message


def test_who_is_no_hub_is_told(fail, monkeypatch):
    answer = huggingface_hub.HfFileMetadata(None, None, "http://x/login", 300, None)
    monkeypatch.setattr(hub_transfer, "get_hf_file_metadata", lambda *_a, **_k: answer)
    assert "not a Hugging Face hub" in fail().message


def test_too_little_space_is_told_before(hub, fail, monkeypatch, tmp_path):
    usage = model_store.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(model_store.shutil, "disk_usage", lambda _path: usage)
    error = fail(ErrorCode.DISK_FULL)
    assert "0.00 GB free" in error.message
    assert hub.ranges == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_disk_that_gets_full_is_told(hub, fail, tmp_path):
    name = hashlib.sha256(hub.files["model.safetensors"]).hexdigest()
    blobs = tmp_path / "models--depth-anything--DA3-SMALL" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{name}.incomplete").symlink_to("/dev/full")
    error = fail(ErrorCode.DISK_FULL)
    assert "disk was full" in error.message
    assert "0.14 GB" in error.hint


def test_offline_mode_is_respected(hub, tmp_path):
    code = (
        "from da3_blender.inference.model_store import download_checkpoint\n"
        "from da3_blender.contract.errors import EngineError\n"
        "try:\n"
        "    download_checkpoint('da3-small', lambda *_: None)\n"
        "except EngineError as error:\n"
        "    print(error.code.value)\n"
    )
    environment = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_CACHE": str(tmp_path)}
    with start_python(code, HF_HUB_OFFLINE="1", **environment) as process:
        assert process.communicate(timeout=60)[0].strip() == "download_not_allowed"
    assert hub.requests == []


def start_python(code, **environment):
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=subprocess.PIPE,
        text=True,
    )
