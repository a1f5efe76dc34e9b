"""Where the work is done when it is more than one process can do: joblib's processes, or a Dask or Ray cluster."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from edgekit.errors import MissingDependencyError, UsageError

INSTALL = "Install it with pip install 'edgekit-sdk[evaluate]'."
PROCESSES = "processes"
WAVE = 4
"""Parts for each worker that are handed out together, where results cannot come one by one."""
BACKENDS = (PROCESSES, "dask", "ray", "joblib")
FORMS = (
    "Write processes (of this machine), dask:tcp://HOST:PORT, ray (or ray:ADDRESS), or joblib for what "
    "joblib.parallel_config has chosen."
)


@dataclass(frozen=True, slots=True)
class Workers:
    """Processes that share the work.

    Attributes:
        count: How many parts are worked on at once.
        backend: `processes` of this machine; `dask:tcp://HOST:PORT`, a running Dask cluster; `ray` or `ray:ADDRESS`;
            `joblib`, whatever `joblib.parallel_config` has chosen around the call. Workers on other machines open the
            model and the pictures by the same paths.

    Raises:
        UsageError: there is no such backend, or it lacks the address.
    """

    count: int
    backend: str = PROCESSES

    def __post_init__(self) -> None:
        kind, _, address = self.backend.partition(":")
        if kind not in BACKENDS or ((kind == "dask") != bool(address) and kind != "ray"):
            raise UsageError(f"backend cannot be '{self.backend}'", hint=FORMS)

    def map(self, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        """Results of the function in the order of the calls, as they come.

        Raises:
            MissingDependencyError: joblib, or the cluster's library, is not installed.
            UsageError: the cluster cannot be reached.
        """
        joblib = _joblib()
        with ExitStack() as stack:
            self._connect(joblib, stack)
            tasks = (joblib.delayed(function)(*arguments) for arguments in calls)
            backend, _ = joblib.parallel.get_active_backend()
            if getattr(backend, "supports_return_generator", False):
                with _deaf():
                    results = joblib.Parallel(n_jobs=self.count, return_as="generator")(tasks)
                yield from results
                return
            while wave := list(islice(tasks, WAVE * self.count)):  # Ray's backend gives all results together
                yield from joblib.Parallel(n_jobs=self.count)(wave)

    def _connect(self, joblib: Any, stack: ExitStack) -> None:
        kind, _, address = self.backend.partition(":")
        if kind == PROCESSES:
            stack.enter_context(joblib.parallel_config(backend="loky"))
        elif kind == "dask":
            stack.enter_context(_dask_client(address))
            stack.enter_context(joblib.parallel_config(backend="dask"))
        elif kind == "ray":
            _register_ray(address)
            stack.enter_context(joblib.parallel_config(backend="ray"))


@contextmanager
def _deaf() -> Iterator[None]:
    """Processes that are started meanwhile never hear Ctrl-C: the one that started them ends them, and says so.

    What is ignored is handed down; a blocked signal would not be, since joblib unblocks it while it starts.
    """
    if threading.current_thread() is not threading.main_thread():  # no other may handle signals
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _joblib() -> Any:
    try:
        import joblib
    except ImportError as error:
        raise MissingDependencyError(f"several workers need joblib ({error})", hint=INSTALL) from error
    return joblib


def _dask_client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingDependencyError(
            f"a Dask cluster needs its library ({error})", hint="Install it with pip install 'dask[distributed]'."
        ) from error
    try:
        return Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise UsageError(f"no Dask cluster can be reached at {address}: {error}", hint=FORMS) from error


def _register_ray(address: str) -> None:
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError as error:
        raise MissingDependencyError(
            f"a Ray cluster needs its library ({error})", hint="Install it with pip install ray."
        ) from error
    if not ray.is_initialized():
        try:
            ray.init(address=address or None, logging_level="error")
        except ConnectionError as error:
            raise UsageError(f"no Ray cluster can be reached at {address}: {error}", hint=FORMS) from error
    register_ray()
