# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small server that speaks the hub's protocol, well or badly as a test wants.

Runs in pytest, in threads.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import re
import threading

COMMIT = "0" * 40
LARGE_BYTES = 1000
"""Longer files are 'large': they have a SHA-256 and can lie on a second server."""


class Hub(http.server.ThreadingHTTPServer):
    """Serves `files`; the other attributes are what goes wrong.

    Attributes:
        files: name -> content.
        refusal: (status, X-Error-Code or None) of every answer.
        body_refusals: statuses of the next answers that would have had a large body.
        token: access needs this one.
        wrong_sum: checksum to tell in place of the right one.
        breaks: byte counts after which the next large bodies break off.
        stalls_at: byte of a large file after which nothing comes until `go_on` is set.
        has_ranges: whether a download can begin in the middle.
        large_files_at: address of another server that has the large files.
        requests: (method, path) of each request.
        ranges: first bytes that were asked for, of large bodies.
        tokens: Authorization headers that came, None where there was none.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.files = {}
        self.refusal = None
        self.body_refusals = []
        self.token = None
        self.wrong_sum = None
        self.breaks = []
        self.stalls_at = None
        self.go_on = threading.Event()
        self.stalled = threading.Event()
        self.has_ranges = True
        self.large_files_at = None
        self.requests = []
        self.ranges = []
        self.tokens = []
        self.endpoint = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_args):
        """Clients that go away are a part of the tests."""


@contextlib.contextmanager
def run_hub(files):
    """Serve files until the end of the block."""
    hub = Hub()
    hub.files = files
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        hub.go_on.set()
        hub.shutdown()
        hub.server_close()
        thread.join()


class HubHandler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def answer(self, *, with_body):
        hub = self.server
        hub.requests.append((self.command, self.path))
        hub.tokens.append(self.headers["Authorization"])
        if hub.refusal:
            self.refuse(*hub.refusal)
            return
        if hub.token and self.headers["Authorization"] != f"Bearer {hub.token}":
            self.refuse(401, None)
            return
        match = re.fullmatch(rf"/(.+)/resolve/(?:main|{COMMIT})/(.+)", self.path)
        data = hub.files.get(match and match[2])
        if data is None:
            self.refuse(404, "EntryNotFound")
        elif hub.large_files_at and len(data) > LARGE_BYTES:
            self.redirect(data)
        elif not with_body:
            self.begin(data, 0)
        elif len(data) > LARGE_BYTES:
            self.send_large(data)
        else:
            self.begin(data, 0)
            self.wfile.write(data)

    def refuse(self, status, code):
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def redirect(self, data):
        self.send_response(302)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("X-Linked-Etag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Linked-Size", str(len(data)))
        self.send_header("Location", self.server.large_files_at + self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def begin(self, data, start):
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        name = self.server.wrong_sum or hashlib.sha256(data).hexdigest()
        self.send_header("ETag", f'"{name if len(data) > LARGE_BYTES else name[:40]}"')
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()

    def send_large(self, data):
        hub = self.server
        wanted = re.match(r"bytes=(\d+)-", self.headers["Range"] or "bytes=0-")
        hub.ranges.append(int(wanted[1]))
        if hub.body_refusals:
            self.refuse(hub.body_refusals.pop(0), None)
            return
        start = int(wanted[1]) if hub.has_ranges else 0
        self.begin(data, start)
        if hub.breaks:
            self.wfile.write(data[start : start + hub.breaks.pop(0)])
            self.close_connection = True
            return
        with contextlib.suppress(ConnectionError):  # the client may have had enough
            if hub.stalls_at is not None:
                self.wfile.write(data[start : hub.stalls_at])
                start = hub.stalls_at
                hub.stalled.set()
                hub.go_on.wait(60)
            self.wfile.write(data[start:])

    def log_message(self, *_args):
        pass
