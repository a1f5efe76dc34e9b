"""The child of `edgekit_devices.isolation`: calls the function that it is told, and writes what came of it."""

from __future__ import annotations

import importlib
import json
import math
import os
import resource
import signal
import sys

from edgekit.errors import EdgeKitError

STDOUT, STDERR = 1, 2


def main() -> None:
    """Call `module:name` of the command line with the JSON behind it, for at most so many seconds."""
    function, arguments, seconds = sys.argv[1:]
    # Ends a hung child also where the parent was killed and cannot: nothing handles the signal.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(math.ceil(float(seconds)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answer = os.fdopen(os.dup(STDOUT), "w", encoding="utf-8", buffering=1)
    os.dup2(STDERR, STDOUT)  # what native code prints must not mix with the answer

    def write(**entry: object) -> None:
        answer.write(f"{json.dumps(entry)}\n")

    module, _, name = function.partition(":")
    target = getattr(importlib.import_module(module), name)
    try:
        value = target(lambda step: write(step=step), **json.loads(arguments))
    except EdgeKitError as error:
        write(error=[type(error).__name__, error.message, error.hint])
    else:
        write(value=value)
    os._exit(0)  # what libraries do at the end of a process is not what is tried here


if __name__ == "__main__":
    main()
