"""Words for why something elsewhere cannot be reached: each protocol's library has errors of its own."""

from collections.abc import Iterator

GONE = (404, 410)
_OF_LIBRARIES = ("aiohttp.", "botocore.", "s3fs.", "gcsfs.", "adlfs.", "google.", "azure.", "paramiko.", "socket")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def status_of(error: BaseException) -> int | None:
    """The status with which an HTTP server answered; None where the error is of another kind."""
    for one in _chain(error):
        status = getattr(one, "status", None)
        if isinstance(status, int) and status >= 400:
            return status
    return None


def is_gone(error: BaseException) -> bool:
    """Whether an error says that nothing is there, rather than that one could not look.

    Examples
    --------
    >>> is_gone(FileNotFoundError("x")), is_gone(ConnectionRefusedError("x"))
    (True, False)
    """
    status = status_of(error)
    if status is not None:
        return status in GONE
    return isinstance(error, FileNotFoundError) and error.__cause__ is None


def is_unreachable(error: BaseException) -> bool:
    """Whether an error is the connection's, the server's or the credentials', not of what was read."""
    return any(
        isinstance(one, ConnectionError | TimeoutError)
        or type(one).__module__.startswith(_OF_LIBRARIES)
        or status_of(one) not in (None, *GONE)
        for one in _chain(error)
    )


def reach_error(url: str, error: BaseException) -> ConnectionError:
    """What to raise in place of a library's error on the way to a URL.

    Examples
    --------
    >>> reach_error("https://a.org/s.zarr.zip", TimeoutError())
    ConnectionError('https://a.org/s.zarr.zip cannot be reached: TimeoutError; try again later')
    """
    if isinstance(error, ConnectionError) and str(error).startswith(url):  # ours
        return error
    status = status_of(error)
    if status is not None:
        what = "asks for credentials or forbids it" if status in (401, 403) else "cannot give it now"
        return ConnectionError(f"{url} cannot be read: the server answers with HTTP status {status}, so it {what}")
    *_, cause = _chain(error)
    text = " ".join(str(cause).split())[:200]
    if "credential" in f"{type(cause).__name__} {text}".lower():
        remedy = "give them where the protocol's own programs look for them (S3: AWS_* variables, ~/.aws)"
    elif isinstance(cause, PermissionError):
        remedy = "check the address and the credentials"
    else:
        remedy = "try again later"
    told = f"{type(cause).__name__}: {text}" if text else type(cause).__name__
    return ConnectionError(f"{url} cannot be reached: {told}; {remedy}")
