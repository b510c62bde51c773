"""Spreading work: in this process, over local processes, or over a Dask cluster; results come as they finish."""

import logging
import os
import signal
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from sfdata.place import Place

Item = TypeVar("Item")
Result = TypeVar("Result")
STARTS = 3


def default_workers() -> int:
    """Number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers:
    """Runs functions over items; to be used in a ``with`` statement.

    Parameters
    ----------
    count : int, optional
        Local worker processes, one thread each; 1 works in this process. Default: one a core.
    scheduler : str, optional
        Address of a running Dask scheduler, whose workers are used instead.

    Raises
    ------
    ValueError
        If the count is below 1 or the scheduler does not answer.
    """

    def __init__(self, count: int | None = None, scheduler: str | None = None) -> None:
        self.count = default_workers() if count is None else count
        self.scheduler = scheduler
        if self.count < 1:
            raise ValueError(f"workers: {count}; expected 1 or more")
        self._client: Any = None
        self._cluster: Any = None

    def __enter__(self) -> "Workers":
        return self

    def _start(self) -> None:
        if self._client is not None:
            return
        from distributed import Client, LocalCluster

        if self.scheduler:
            from distributed.comm import get_address_host_port

            _quieten()
            try:
                get_address_host_port(self.scheduler)  # Client waits long, and noisily, for an address that is none
                self._client = Client(self.scheduler, timeout="10s", set_as_default=False)
            except (OSError, ValueError) as error:
                raise ValueError(f"no Dask scheduler answers at {self.scheduler}: {error}") from None
            return
        # Nannies set OMP_NUM_THREADS and its like to 1 for their workers: one BLAS thread each.
        _quieten()
        for attempt in range(1, STARTS + 1):  # a worker that dies while it starts takes the others with it
            try:
                self._cluster = LocalCluster(
                    n_workers=self.count,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",  # None would still take port 8787
                    silence_logs=logging.CRITICAL,
                )
                break
            except RuntimeError as error:
                if attempt == STARTS:
                    raise OSError(
                        f"the {self.count} worker processes cannot be started ({error}): were they killed, is memory "
                        "short? Give the same command again, with fewer --workers if need be"
                    ) from error
        self._client = Client(self._cluster, set_as_default=False)
        self._client.run(_leave_interrupts_to_the_parent)

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None:
            _quieten()  # what is cancelled now is no news
        if self._client is not None:
            self._client.close()
        if self._cluster is not None:
            self._cluster.close()

    def check_target(self, target: Place) -> None:
        """Refuse a target that other processes do not see, where there are any.

        Raises
        ------
        ValueError
            If there are.
        """
        if not target.shared and (self.scheduler or self.count > 1):
            raise ValueError(f"{target} is seen by one process only; take --workers 1, or another place")

    def run(
        self, function: Callable[..., Result], items: Sequence[Item], *common: object
    ) -> Iterator[tuple[int, Result]]:
        """Call ``function(item, *common)`` for every item; yields (index, result) in the order of finishing.

        An error in a call is raised here. Where a call's worker process dies again and again, the other calls are
        made first.

        Raises
        ------
        OSError
            If workers died over a call, or the scheduler is gone.
        """
        if self.scheduler or (self.count > 1 and len(items) > 1):
            self._start()
        if self._client is None:
            for index, item in enumerate(items):
                yield index, function(item, *common)
            return
        from distributed import as_completed
        from distributed.client import FutureCancelledError
        from distributed.scheduler import KilledWorker

        # What is common goes along with every call: it is small, and scattering equal data twice can lose it.
        name = f"{function.__name__}-{uuid.uuid4().hex}"
        futures = {
            self._client.submit(function, item, *common, pure=False, key=f"{name}-{index}"): index
            for index, item in enumerate(items)
        }
        deadly = 0
        for future in as_completed(list(futures), loop=self._client.loop):
            try:
                result = future.result()
            except KilledWorker:
                deadly += 1
                continue
            except FutureCancelledError:
                where = f"the Dask scheduler at {self.scheduler}" if self.scheduler else "the local scheduler"
                raise OSError(f"{where} is gone; start one, and the same command goes on from what is done") from None
            yield futures[future], result
            future.release()
        if deadly:
            raise OSError(
                f"{deadly} of {len(items)} tasks ended with the death of every worker that tried: killed, or out of "
                "memory? All others are done; the same command goes on, with fewer --workers if memory is short"
            )


def _quieten() -> None:
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "distributed"]:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _leave_interrupts_to_the_parent() -> None:
    """Ctrl-C in a terminal reaches every process; the parent ends the workers in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
