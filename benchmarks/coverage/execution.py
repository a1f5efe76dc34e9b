"""Runs a `.tflite` file under one runtime: `python execution.py RUNTIME MODEL INPUTS.npz OUTPUTS.npz MEMORY`.

It stands alone: the Python of an old runtime has nothing of this project. INPUTS holds an array for each input of
the graph, named by its place (`0`, `1`, ...), the samples along the first axis and the batch of 1 left out; OUTPUTS
is written alike. Values are those of the tensors: integers where the model is quantized. MEMORY is JSON: `keep`,
whether what operations remember outlives a sample, and `states`, a list of [input, output, factor, offset, least,
most]: the input takes `output * factor + offset`, within the limits, with the next sample; its first value is in
INPUTS.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import numpy as np


def main() -> None:
    """Run each sample, one after the other."""
    runtime, model, given, wanted = sys.argv[1:5]
    memory: dict[str, Any] = json.loads(sys.argv[5])
    interpreter: Any = importlib.import_module(f"{runtime}.interpreter").Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    inputs = [entry["index"] for entry in interpreter.get_input_details()]
    outputs = [entry["index"] for entry in interpreter.get_output_details()]
    with np.load(given) as arrays:
        samples = [arrays[str(place)] for place in range(len(inputs))]
    found: list[list[Any]] = [[] for _ in outputs]
    states: dict[int, Any] = {}
    for number in range(max(map(len, samples))):
        for place, index in enumerate(inputs):
            interpreter.set_tensor(index, states[place] if place in states else samples[place][number][None])
        if not memory["keep"]:
            interpreter.reset_all_variables()
        interpreter.invoke()
        for values, index in zip(found, outputs, strict=True):
            values.append(interpreter.get_tensor(index)[0])
        for taking, giving, factor, offset, least, most in memory["states"]:
            values = found[giving][-1][None]
            if factor != 1 or offset:
                values = np.clip(np.round(values * factor + offset), least, most).astype(samples[taking].dtype)
            states[taking] = values
    arrays_by_place: dict[str, Any] = {str(place): np.stack(values) for place, values in enumerate(found)}
    np.savez(wanted, **arrays_by_place)


if __name__ == "__main__":
    main()
