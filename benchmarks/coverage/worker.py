"""A process that measures case after case: `python -m benchmarks.coverage.worker GROUP [PYTHON]`.

Names of cases come in a line each; an outcome goes out in a line of JSON each. What TensorFlow prints goes to the
standard error.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from dataclasses import asdict

from benchmarks.coverage.corpus import cases_of
from benchmarks.coverage.measuring import measure
from benchmarks.coverage.outcome import Outcome


def main() -> None:
    """Serve until the input ends."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    cases = {case.name: case for case in cases_of(sys.argv[1])}
    old_python = sys.argv[2] if len(sys.argv) > 2 else ""
    import keras

    for line in sys.stdin:
        case = cases[line.rstrip("\n")]
        try:
            outcome = measure(case, old_python)
        except Exception as error:  # of the corpus or of Keras: the other cases go on
            traceback.print_exc()
            outcome = Outcome(case.name, error=f"not measured: {type(error).__name__}: {error}")
        print(json.dumps(asdict(outcome)), file=out, flush=True)
        keras.backend.clear_session()
        gc.collect()


if __name__ == "__main__":
    main()
