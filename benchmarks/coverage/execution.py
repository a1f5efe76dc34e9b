"""Runs a `.tflite` file under one runtime: `python execution.py RUNTIME MODEL INPUTS.npz OUTPUTS.npz [keep-state]`.

It stands alone: the Python of an old runtime has nothing of this project. INPUTS holds an array for each input of
the graph, named by its place (`0`, `1`, ...), the samples along the first axis and the batch of 1 left out; OUTPUTS
is written alike. Values are those of the tensors: integers where the model is quantized.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import numpy as np


def main() -> None:
    """Run each sample; a state is cleared before each unless it is to be kept."""
    runtime, model, given, wanted = sys.argv[1:5]
    interpreter: Any = importlib.import_module(f"{runtime}.interpreter").Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    inputs = [entry["index"] for entry in interpreter.get_input_details()]
    outputs = [entry["index"] for entry in interpreter.get_output_details()]
    with np.load(given) as arrays:
        samples = [arrays[str(place)] for place in range(len(inputs))]
    found: list[list[Any]] = [[] for _ in outputs]
    for number in range(len(samples[0])):
        for index, array in zip(inputs, samples, strict=True):
            interpreter.set_tensor(index, array[number][None])
        if "keep-state" not in sys.argv:
            interpreter.reset_all_variables()
        interpreter.invoke()
        for values, index in zip(found, outputs, strict=True):
            values.append(interpreter.get_tensor(index)[0])
    arrays_by_place: dict[str, Any] = {str(place): np.stack(values) for place, values in enumerate(found)}
    np.savez(wanted, **arrays_by_place)


if __name__ == "__main__":
    main()
