"""A server on this machine that hands out one file, as well or as badly as told."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer(ThreadingHTTPServer):
    """Hands out `content`.

    Attributes:
        asked: the Range header of each request, "" without one.
        break_at: bytes after which the connection is cut, once; None never.
        ranges: whether parts are handed out. status: instead of 200, where it is not 0. moved: redirect there first.
    """

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.asked: list[str] = []
        self.break_at: int | None = None
        self.ranges, self.status, self.moved = True, 0, False

    def address(self, name: str = "face_landmarker.task") -> str:
        """Of the file, under any name."""
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: FileServer

    def do_GET(self) -> None:
        """The file or a part of it."""
        server, wanted = self.server, self.headers.get("Range", "")
        server.asked.append(wanted)
        if server.status:
            self.send_error(server.status)
            return
        if server.moved and not self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", f"/moved{self.path}")
            self.end_headers()
            return
        start = int(found[1]) if (found := re.match(r"bytes=(\d+)-", wanted)) and server.ranges else 0
        if start >= len(server.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(server.content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        self.end_headers()
        cut, server.break_at = server.break_at, None
        self.wfile.write(data[:cut])
        if cut is not None:
            self.wfile.flush()
            self.connection.shutdown(2)

    def log_message(self, format: str, *arguments: object) -> None:
        """Silence."""


@contextmanager
def file_server(content: bytes) -> Iterator[FileServer]:
    """A server while it is needed."""
    server = FileServer(content)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
