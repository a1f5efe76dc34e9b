"""How many threads run a model fastest on the processor: one, or as many as it has cores to spare."""

from __future__ import annotations

from edgekit.choosing import records
from edgekit.choosing.racing import race
from edgekit.choosing.records import Findings
from edgekit.interpreter import Engine, default_threads

GAIN = 0.9
"""More threads have to take less than this share of the time of one: they take cores from all else."""


def best_threads(path: str) -> int:
    """Threads for a model that nobody said a number for, from 1 to `default_threads()`.

    Small networks lose by a second thread, and without XNNPACK some take 70 times as long (MobileNet v1 0.25 in int8,
    0.7 and 49 ms). So one thread and the default number are tried against each other, once for a model on a machine.

    Raises:
        ModelFileError: the runtime cannot run it.
        DeviceError: it fails while it runs.
    """
    most = default_threads()
    if most == 1:
        return 1
    about = records.subject(path, threads=most)
    found = records.recall(about)
    if found is None or not {"1", str(most)} <= found.times.keys():
        found = Findings(_try(path, most))
        records.keep(about, found)
    return most if found.times[str(most)] < GAIN * found.times["1"] else 1


def _try(path: str, most: int) -> dict[str, float]:
    engines = {str(number): Engine(path, threads=number) for number in (1, most)}
    return race({number: engine.run_zeros for number, engine in engines.items()})
