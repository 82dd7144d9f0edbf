# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding checkpoints and downloading them, from a hub of our own.

Runs in the engine's environment.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")

from da3_blender.contract.errors import CancelledError, EngineError, ErrorCode
from da3_blender.inference import model_store
from da3_blender.inference.model_store import download_checkpoint, find_local_checkpoint
from da3_blender.inference.model_table import MODELS


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


class Hub(http.server.ThreadingHTTPServer):
    """Speaks as much of the hub's protocol as a download needs."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.files = {}
        self.refusal = None
        self.ranges = []
        self.breaks_left = 0
        self.endpoint = f"http://127.0.0.1:{self.server_port}"


class HubHandler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def answer(self, *, with_body):
        if self.server.refusal:
            status, code = self.server.refusal
            self.send_response(status)
            if code:
                self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        match = re.fullmatch(r"/(.+)/resolve/main/(.+)", self.path)
        data = self.server.files.get(match and match[2])
        if data is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = 0
        if with_body and "Range" in self.headers:
            self.server.ranges.append(self.headers["Range"])
            start = int(re.match(r"bytes=(\d+)-", self.headers["Range"])[1])
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if with_body and self.server.breaks_left and len(data) > 1000:
            self.server.breaks_left -= 1
            self.wfile.write(data[: len(data) * 3 // 4])
            self.close_connection = True
        elif with_body:
            with contextlib.suppress(ConnectionError):  # the client may have had enough
                self.wfile.write(data[start:])

    def log_message(self, *_args):
        pass


@pytest.fixture
def hub(monkeypatch):
    if os.environ.get("HF_HUB_OFFLINE"):
        pytest.skip("HF_HUB_OFFLINE is set")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Hub()
    server.files = {
        "config.json": b'{"model_name": "da3-small"}',
        "model.safetensors": bytes(range(256)) * 100_000,
    }
    # the default entry's size would make the progress crawl
    small = replace(MODELS["da3-small"], download_bytes=len(server.files["model.safetensors"]))
    monkeypatch.setitem(MODELS, "da3-small", small)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def fail_to_download(hub, tmp_path, code):
    with pytest.raises(EngineError) as error:
        download_checkpoint(
            "da3-small", lambda _share: None, cache_dir=tmp_path, endpoint=hub.endpoint
        )
    assert error.value.code is code
    assert "da3-small" in error.value.message
    return error.value


def test_download(hub, tmp_path):
    shares = []
    path = download_checkpoint(
        "da3-small", shares.append, cache_dir=tmp_path, endpoint=hub.endpoint
    )
    assert path.read_bytes() == hub.files["model.safetensors"]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert any(0 < share < 1 for share in shares)
    assert (path.parent / "config.json").is_file()
    assert find_local_checkpoint("da3-small", tmp_path) == path
    # a second time nothing is fetched, also without a hub
    hub.refusal = (503, None)
    again = download_checkpoint(
        "da3-small", shares.append, cache_dir=tmp_path, endpoint=hub.endpoint
    )
    assert again == path


def test_download_survives_a_broken_connection(hub, tmp_path):
    hub.breaks_left = 1
    path = download_checkpoint(
        "da3-small", lambda _share: None, cache_dir=tmp_path, endpoint=hub.endpoint
    )
    assert path.read_bytes() == hub.files["model.safetensors"]
    assert hub.ranges, "it started again from the beginning"


def test_download_works_after_a_cancel(hub, tmp_path):
    def stop_early(share):
        nonlocal wants_stop
        wants_stop = share > 0.2

    wants_stop = False
    with pytest.raises(CancelledError):
        download_checkpoint(
            "da3-small",
            stop_early,
            is_cancelled=lambda: wants_stop,
            cache_dir=tmp_path,
            endpoint=hub.endpoint,
        )
    assert find_local_checkpoint("da3-small", tmp_path) is None
    assert not list(tmp_path.rglob("*.incomplete"))
    path = download_checkpoint(
        "da3-small", lambda _share: None, cache_dir=tmp_path, endpoint=hub.endpoint
    )
    assert path.read_bytes() == hub.files["model.safetensors"]


def test_no_config_is_no_trouble(hub, tmp_path):
    del hub.files["config.json"]
    path = download_checkpoint(
        "da3-small", lambda _share: None, cache_dir=tmp_path, endpoint=hub.endpoint
    )
    assert path.is_file()


def test_no_weights(hub, tmp_path):
    del hub.files["model.safetensors"]
    error = fail_to_download(hub, tmp_path, ErrorCode.DOWNLOAD_FAILED)
    assert "no such file" in error.message


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ((401, None), "access"),
        ((404, "RepoNotFound"), "access"),
        ((403, "GatedRepo"), "agreement"),
    ],
)
def test_refusals(hub, tmp_path, refusal, words):
    hub.refusal = refusal
    error = fail_to_download(hub, tmp_path, ErrorCode.DOWNLOAD_FAILED)
    assert words in error.message
    assert "depth-anything/DA3-SMALL" in error.hint


def test_hub_is_down(hub, tmp_path):
    hub.shutdown()
    hub.server_close()
    error = fail_to_download(hub, tmp_path, ErrorCode.DOWNLOAD_FAILED)
    assert "cannot be reached" in error.message


def test_no_space(hub, tmp_path, monkeypatch):
    usage = model_store.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(model_store.shutil, "disk_usage", lambda _path: usage)
    error = fail_to_download(hub, tmp_path, ErrorCode.DISK_FULL)
    assert "0.0 GB free" in error.message


def test_offline_mode_is_respected(tmp_path):
    code = (
        "from da3_blender.inference.model_store import download_checkpoint\n"
        "from da3_blender.contract.errors import EngineError\n"
        "try:\n"
        f"    download_checkpoint('da3-small', print, cache_dir={str(tmp_path)!r})\n"
        "except EngineError as error:\n"
        "    print(error.code.value)\n"
    )
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(root)}
    result = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert result.stdout.strip() == "download_not_allowed"
