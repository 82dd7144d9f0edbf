# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A package index of tiny wheels on this machine, which can be slow, broken or gone.

Runs in pytest.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import threading
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

LIBRARIES = {"alpha": "1.0", "beta": "2.5", "bulky": "3.0"}
TORCH_VERSION = "9.1"
BULK_BYTES = 3_000_000


def make_wheel(folder, name, version, tag="py3-none-any", bulk=0):
    """Write a wheel whose one module tells its version; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": f'__version__ = "{version}"\n'.encode(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    if bulk:
        # numbers that do not compress, the same each time
        seed = name.encode()
        blocks = (hashlib.sha256(seed + str(n).encode()).digest() for n in range(bulk // 32))
        files[f"{name}/bulk.bin"] = b"".join(blocks)
    rows = [f"{path},sha256={_digest(data)},{len(data)}" for path, data in files.items()]
    files[f"{info}/RECORD"] = ("\n".join([*rows, f"{info}/RECORD,,"]) + "\n").encode()
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as wheel:
        for inner, data in files.items():
            wheel.writestr(zipfile.ZipInfo(inner, (2026, 1, 1, 0, 0, 0)), data)
    return path


def make_wheels(folder):
    """Write all wheels of the tiny engine."""
    for name, version in LIBRARIES.items():
        make_wheel(folder, name, version, bulk=BULK_BYTES if name == "bulky" else 0)
    make_wheel(folder, "torch", f"{TORCH_VERSION}+cpu")


def write_lock(folder, wheels):
    """Write lock files as those of the engine, for the wheels of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, version in LIBRARIES.items():
        sha256 = hash_file(next(wheels.glob(f"{name}-*.whl")))
        lines.append(f"{name}=={version} \\\n    --hash=sha256:{sha256}\n")
    (folder / "engine.txt").write_text("".join(lines), encoding="utf-8")
    (folder / "torch.txt").write_text(f"torch=={TORCH_VERSION}\n", encoding="utf-8")


def read_metadata(path):
    with zipfile.ZipFile(path) as wheel:
        return wheel.read(next(n for n in wheel.namelist() if n.endswith("/METADATA")))


def hash_file(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


@dataclass
class TinyIndex:
    """The server, what it was asked for, and how badly it behaves.

    Attributes:
        folder: of the wheels.
        speed: bytes per second, 0 for as fast as it can.
        cuts: how many downloads of big files end in the middle from now on.
        status: answer of every download in place of the file, or 0.
        tells_size: whether the index and HEAD tell sizes; PyTorch's index does not.
        credentials: "user:password" without which nobody is let in, or "".
        requests: (method, name of the wheel, value of Range or "").
    """

    folder: Path
    speed: int = 0
    cuts: int = 0
    status: int = 0
    tells_size: bool = True
    credentials: str = ""
    requests: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self):
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                index.answer(self, has_body=True)

            def do_HEAD(self):
                index.answer(self, has_body=False)

            def log_message(self, *_arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/simple/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def list_downloads(self, name=""):
        return [r for r in self.requests if r[0] == "GET" and name in r[1]]

    def answer(self, handler, *, has_body):
        parts = [unquote(part) for part in handler.path.split("/") if part]
        wanted = base64.b64encode(self.credentials.encode()).decode()
        if self.credentials and handler.headers.get("Authorization") != f"Basic {wanted}":
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", "Basic realm=tiny")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        if parts[0] == "simple":
            self._list(handler, parts[1])
            return
        if parts[-1].endswith(".metadata"):  # so that uv need not look into the wheels
            body = read_metadata(self.folder / parts[-1].removesuffix(".metadata"))
            self._reply(handler, 200, body, "text/plain")
            return
        method = "GET" if has_body else "HEAD"
        wanted = handler.headers.get("Range", "")
        self.requests.append((method, parts[-1], wanted))
        if self.status:
            self._reply(handler, self.status, b"no", "text/plain")
            return
        data = (self.folder / parts[-1]).read_bytes()
        self._send(handler, data, wanted, has_body=has_body)

    def _list(self, handler, name):
        files = [
            {
                "filename": path.name,
                "url": f"/files/{path.name}",
                "hashes": {"sha256": hash_file(path)},
                "core-metadata": {"sha256": hashlib.sha256(read_metadata(path)).hexdigest()},
                **({"size": path.stat().st_size} if self.tells_size else {}),
            }
            for path in sorted(self.folder.glob(f"{name}-*.whl"))
        ]
        body = {"meta": {"api-version": "1.1"}, "name": name, "files": files}
        kind = "application/vnd.pypi.simple.v1+json"
        self._reply(handler, 200 if files else 404, json.dumps(body).encode(), kind)

    def _reply(self, handler, status, body, kind):
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _send(self, handler, data, wanted, *, has_body):
        start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        is_last = wanted.rpartition("-")[2]
        stop = int(is_last) + 1 if wanted and is_last else len(data)
        part = data[start:stop]
        handler.send_response(206 if wanted else 200)
        handler.send_header("Accept-Ranges", "bytes")
        if wanted:
            handler.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        handler.send_header("Content-Length", str(len(part)))
        handler.end_headers()
        if not has_body:
            return
        is_cut = self.cuts > 0 and len(part) > 100_000
        self.cuts -= is_cut
        step = max(self.speed // 20, 1) if self.speed else len(part)
        try:
            for begin in range(0, len(part), step):
                if is_cut and begin + step > len(part) // 2:
                    handler.wfile.write(part[begin : len(part) // 2])
                    handler.close_connection = True
                    handler.connection.close()
                    return
                handler.wfile.write(part[begin : begin + step])
                if self.speed:
                    time.sleep(1 / 20)
        except OSError:  # the client left
            handler.close_connection = True
