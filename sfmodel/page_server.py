"""Serving one page to this machine's browser: loopback only, and to nobody who comes under another name."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@contextmanager
def served_page(page: str, port: int = 0, host: str = "127.0.0.1", allow_remote: bool = False) -> Iterator[str]:
    """Serve a page while in the context.

    Only ``/`` is there. Requests whose Host is not this server's own, or that come from a page of another origin, are
    refused: so no other page can read it through a name that leads here.

    Parameters
    ----------
    page : str
        HTML.
    port : int
        0 for any that is free.
    host : str
    allow_remote : bool
        Needed for any address but loopback.

    Yields
    ------
    str
        The page's address.

    Raises
    ------
    ValueError
        If the address is not loopback and this is not allowed.
    OSError
        If the port is taken.
    """
    if host not in LOOPBACK and not allow_remote:
        raise ValueError(f"host {host!r} can be reached from outside; expected 127.0.0.1, or allow it")
    body = page.encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, with_body: bool) -> None:
            names = {f"{name}:{server.server_port}" for name in ("127.0.0.1", "localhost", "[::1]", host)}
            origin = self.headers.get("Origin")
            if self.headers.get("Host") not in names or (
                origin is not None and origin.removeprefix("http://") not in names
            ):
                self.send_error(403, "Not for you")
            elif self.path == "/":
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("X-Content-Type-Options", "nosniff")
                self.send_header("Referrer-Policy", "no-referrer")
                self.send_header("Cross-Origin-Resource-Policy", "same-origin")
                self.send_header("X-Frame-Options", "DENY")
                self.end_headers()
                if with_body:
                    self.wfile.write(body)
            elif self.path == "/favicon.ico":
                self.send_response(204)
                self.end_headers()
            else:
                self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
