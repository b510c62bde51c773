"""A file server on loopback that answers byte ranges, counts what it sends, can break off, refuse, be silent."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        path = Path(self.translate_path(self.path))
        if self.server.refusal:
            self.send_error(self.server.refusal)
            return
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        first, last, status = 0, len(content) - 1, 200
        if self.server.answers_ranges and (found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))):
            first, last, status = int(found[1]), min(int(found[2] or last), last), 206
            if first > last:
                self.send_error(416)
                return
        self.send_response(status)
        self.send_header("Content-Length", str(last - first + 1))
        if self.server.answers_ranges:
            self.send_header("Accept-Ranges", "bytes")
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.end_headers()
        if not body:
            return
        part = content[first : last + 1]
        if self.server.most_bytes is not None:
            part = part[: max(0, self.server.most_bytes - self.server.sent_bytes)]
            self.close_connection = True
        if self.server.break_after is not None and len(part) > self.server.break_after:
            part = part[: self.server.break_after]
            self.close_connection = True
        self.server.sent_bytes += len(part)
        self.server.ranges.append((path.name, first))
        self.wfile.write(part)


@contextmanager
def serving(folder: Path) -> Iterator[Any]:
    """Serve a folder.

    The server has ``url``, ``sent_bytes``, ``ranges``, ``break_after`` (bytes of an answer), ``most_bytes`` (of all
    answers; then there is silence), ``refusal`` (a status in place of any answer) and ``answers_ranges``.
    """

    def handler(*arguments: Any) -> _Handler:
        return _Handler(*arguments, directory=str(folder))

    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.url, server.sent_bytes, server.ranges, server.break_after = (
        f"http://127.0.0.1:{server.server_port}",
        0,
        [],
        None,
    )
    server.refusal, server.answers_ranges, server.most_bytes = None, True, None
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
