"""Serving one page to this machine's browser: loopback only, and to nobody who comes under another name."""

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LOOPBACK = ("127.0.0.1", "localhost", "::1")
HTTP_PORT = 80  # which browsers leave out
HIGHEST_PORT = 65535


@contextmanager
def served_page(
    page: str | Callable[[], str], port: int = 0, host: str = "127.0.0.1", allow_remote: bool = False
) -> Iterator[str]:
    """Serve a page while in the context.

    Only ``/`` is there. Requests whose Host is not this server's own, or that come from a page of another origin, are
    refused: so no other page can read it through a name that leads here.

    Parameters
    ----------
    page : str or callable
        HTML; or what makes it, which is called once the port is had: so that it is not made in vain.
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
        If the address is not loopback and this is not allowed, or there is no such port.
    OSError
        If the port is taken, or not allowed.
    """
    if host not in LOOPBACK and not allow_remote:
        raise ValueError(f"host {host!r} can be reached from outside; expected 127.0.0.1, or allow it")
    if not 0 <= port <= HIGHEST_PORT:
        raise ValueError(f"port {port}; expected 1 to {HIGHEST_PORT}, or 0 for any that is free")
    body = b""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, with_body: bool) -> None:
            names = host_names(host, server.server_port)
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

    try:
        server = (_Server6 if ":" in host else _Server)((host, port), Handler)
    except OSError as error:
        told = f"port {port} of {host} cannot be had: {error.strerror or error}"
        raise OSError(f"{told}; choose another, or 0 for any that is free") from error
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    try:
        body = (page if isinstance(page, str) else page()).encode()
        thread.start()
        yield f"http://{_in_address(host)}:{server.server_port}/"
    finally:
        if thread.is_alive():
            server.shutdown()
            thread.join()
        server.server_close()


def host_names(host: str, port: int) -> set[str]:
    """What browsers may call a server of this machine in ``Host``: its names with the port, which of 80 is left out.

    Examples
    --------
    >>> sorted(host_names("localhost", 8000))
    ['127.0.0.1:8000', '[::1]:8000', 'localhost:8000']
    """
    names = {_in_address(name) for name in (*LOOPBACK, host)}
    return {f"{name}:{port}" for name in names} | (names if port == HTTP_PORT else set())


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that leaves while the page loads."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Server6(_Server):
    address_family = socket.AF_INET6
