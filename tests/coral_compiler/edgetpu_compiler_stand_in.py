"""A stand-in for Google's edgetpu_compiler: it compiles nothing, and behaves as the real one is documented to.

It prints and writes what logs of versions 15 and 16 show, for models whose compiled twin it is given, and fails in the
ways that are known. Run by Python alone. The environment says how:

STAND_IN_COMPILED   folder with NAME_edgetpu.tflite for each model, or NAME_segment_I_of_N_edgetpu.tflite
STAND_IN_TABLE      JSON: by name of the compiled file rows of type, count and status
STAND_IN_VERSION    such as 15.0.340273435
STAND_IN_MODE       ok, or what goes wrong
STAND_IN_SEEN       file to write the arguments and the names in the folder to, as JSON
STAND_IN_PID        file to write the numbers of this process and its child to
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

MAPPED = "Mapped to Edge TPU"
WITH_VALUE = {"-o", "-m", "-n", "-t"}
FAILURES = {
    "not-quantized": ("Invalid model: in/model.tflite\nModel not quantized\n", 1),
    "too-new": (
        "ERROR: Didn't find op for builtin opcode 'CONV_2D' version '6'. An older version of this builtin might be "
        "supported.\n\nERROR: Registration failed.\n\nInvalid model: in/model.tflite\nModel could not be parsed\n", 1,
    ),
    "ice": ("Internal compiler error. Aborting!\n", 1),
    "large": (
        "ERROR: Restored original execution plan after delegate application failure.\nCompilation failed: Compilation "
        "failed due to large activation tensors in model.\nCompilation child process completed within timeout "
        "period.\nCompilation failed!\n", 1,
    ),
    "silent": ("", 0),
    "bare": ("Compilation failed!\n", 1),
    "wrapper-crash": ("edgetpu_compiler: line 3: 7056 Segmentation fault (core dumped)\n", 139),
    "strange": ("Something that no version is known to say.\n", 3),
    "option": ("unknown command line flag 'd'\n", 1),
}


def main() -> int:
    version = os.environ.get("STAND_IN_VERSION", "16.0.384591198")
    mode = os.environ.get("STAND_IN_MODE", "ok")
    if mode == "other-program":
        print("hello, I sort photographs")
        return 0
    print(f"Edge TPU Compiler version {version}")
    if sys.argv[1:] == ["--version"]:
        return 0
    options, models = parse(sys.argv[1:])
    if seen := os.environ.get("STAND_IN_SEEN"):
        Path(seen).write_text(json.dumps({"arguments": sys.argv[1:], "folder": str(Path.cwd())}))
    if mode in FAILURES:
        text, code = FAILURES[mode]
        print(text, end="")
        return code
    misbehave(mode)
    if int(version.partition(".")[0]) >= 16:
        print(f"Started a compilation timeout timer of {options.get('-t', '180')} seconds.")
    work(options, models, version, mode)
    return 0


def parse(arguments: list[str]) -> tuple[dict[str, str], list[Path]]:
    options: dict[str, str] = {}
    models = []
    rest = iter(arguments)
    for argument in rest:
        if argument.startswith("-"):
            options[argument] = next(rest) if argument in WITH_VALUE else ""
        else:
            models.append(Path(argument))
    return options, models


def misbehave(mode: str) -> None:
    if mode == "crash":
        sys.stdout.flush()
        os.kill(os.getpid(), 11)
    if mode == "flood":
        while True:
            print("x" * 2**20)
    if mode == "hang":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(os.environ["STAND_IN_PID"]).write_text(f"{os.getpid()} {child.pid}")
        sys.stdout.flush()
        time.sleep(600)


def work(options: dict[str, str], models: list[Path], version: str, mode: str) -> None:
    out, segments = Path(options["-o"]), int(options.get("-n", "1"))
    tables = json.loads(os.environ.get("STAND_IN_TABLE", "{}"))
    several = "s" if len(models) > 1 else ""
    print(f"\nModel{several} compiled successfully in 524 ms.")
    for model in models:
        parts = [f"_segment_{i}_of_{segments}" for i in range(segments)] if segments > 1 else [""]
        for part in parts:
            name = f"{model.stem}{part}_edgetpu.tflite"
            shutil.copyfile(Path(os.environ["STAND_IN_COMPILED"]) / name, out / name)
            report(model, out / name, tables.get(name, []), version, mode, table="-s" in options)
    if int(version.partition(".")[0]) >= 16:
        print("Compilation child process completed within timeout period.\nCompilation succeeded! ")
    if mode == "chatty":
        print("Warning: something to know")
    if mode == "damaged":
        (out / f"{models[0].stem}_edgetpu.tflite").write_bytes(b"not a model")


def report(model: Path, output: Path, rows: list[list[str]], version: str, mode: str, *, table: bool) -> None:
    left = sum(int(count) for _, count, status in rows if status != MAPPED)
    total = sum(int(count) for _, count, _ in rows)
    text = "".join(f"{type_:<31}{count:<11}{status}\n" for type_, count, status in rows)
    text = f"\n{'Operator':<31}{'Count':<11}Status\n\n{text}"
    output.with_suffix(".log").write_text(
        f"Edge TPU Compiler version {version}\nInput: {model}\nOutput: {output}\n{text}"
    )
    if mode == "garbage":
        print("\x1b[2J Input size 12 of 3\nOn-chip memory used for caching model parameters: plenty\n| | |")
        return
    print(f"""
Input model: {model}
Input size: {model.stat().st_size / 1024:.2f}KiB
Output model: {output}
Output size: {output.stat().st_size / 1024:.2f}KiB
On-chip memory used for caching model parameters: 66.00KiB
On-chip memory remaining for caching model parameters: 7.67MiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: {total}
Operation log: {output.with_suffix('.log')}""")
    if left:
        print("\nModel successfully compiled but not all operations are supported by the Edge TPU. A percentage ...")
        print(f"Number of operations that will run on Edge TPU: {total - left}")
        print(f"Number of operations that will run on CPU: {left}")
    print(text if table else "See the operation log file for individual operation details.")


if __name__ == "__main__":
    sys.exit(main())
