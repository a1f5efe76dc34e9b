"""Models on the device `gpu`, which here is Vulkan in software: what it answers, and what becomes of its process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit import DeviceError, UsageError
from edgekit_devices.gpu import requirements

pytestmark = [
    pytest.mark.usefixtures("software_gpu"),
    pytest.mark.filterwarnings("ignore:gpu. software"),
]
Children = Callable[[], set[int]]


def mobilenet(shared: Path, precision: str, as_float: Callable[..., Path]) -> Path:
    path = shared / "tflite" / "mobilenet_v2_1.0_224_quant.tflite"
    return path if precision == "int8" else as_float(path, half=precision == "float16")


@pytest.mark.parametrize(("precision", "allowed"), [("int8", 0.05), ("float32", 1e-3), ("float16", 1e-3)])
def test_mobilenet_v2_from_the_command_line_agrees_with_the_processor(
    shared: Path, as_float: Callable[..., Path], call: Callable[..., int], capfd: pytest.CaptureFixture[str],
    precision: str, allowed: float,
) -> None:
    model, images = mobilenet(shared, precision, as_float), shared / "images"
    asked = ("--normalize=-1..1", "--labels", images / "imagenet_labels.txt", "--task", "classification")
    found = {}
    for device in ("cpu", "gpu"):
        code = call(model, images / "grace_hopper.bmp", "--device", device, *asked)
        told = capfd.readouterr()
        assert code == 0, told.err
        found[device] = json.loads(told.out)
    assert "SwiftShader Device (Subzero) is no GPU: it computes on the processor" in told.err
    assert found["gpu"]["device"] == "gpu"
    first, other = found["cpu"]["classes"][0], found["gpu"]["classes"][0]
    assert first["label"] == other["label"] == "military uniform"
    assert other["score"] == pytest.approx(first["score"], abs=allowed)
    assert requirements.LIBRARY not in Path("/proc/self/maps").read_text()


def test_a_network_that_the_gpu_computes_wrongly_is_refused(tiny_classifier: Path) -> None:
    # A Dense layer on a picture that is not flattened: LiteRT 2.3 takes it, and makes a convolution of it.
    unchecked = edgekit.load(tiny_classifier, device="gpu", device_options={"check": "off"})
    picture = np.arange(64, dtype=np.int8).reshape(1, 8, 8, 1)
    [here], [there] = (model.tensors(picture) for model in (edgekit.load(tiny_classifier, device="cpu"), unchecked))
    if (np.abs(here.astype(int) - there) < 3).all():
        pytest.skip("this LiteRT computes it as the processor does")
    with pytest.raises(DeviceError, match="computes another scores than the processor"):
        edgekit.load(tiny_classifier, device="gpu")


def test_inputs_keep_their_order(build: Callable[..., Path]) -> None:
    numbers = [(name, (1, 3), "float32") for name in ("b", "a")]
    model = edgekit.load(build("SUB", numbers, [("y", (1, 3), "float32")]), device="gpu")
    [difference] = model.tensors(np.full((1, 3), 5, np.float32), np.full((1, 3), 2, np.float32))
    assert difference.tolist() == [[3, 3, 3]]


def test_types_beyond_those_of_python_s_buffers_run(build: Callable[..., Path]) -> None:
    ends = [("x", (1, 3), "int16", 0.5, 0)], [("y", (1, 3), "int16", 0.5, 0)]
    model = edgekit.load(build("ABS", *ends), device="gpu", device_options={"precision": "float32"})
    [result] = model.tensors(np.array([[-300, 200, 0]], np.int16))
    assert result.tolist() == [[300, 200, 0]]


def test_what_the_processor_has_to_do_is_told(chain: Callable[..., Path]) -> None:
    with pytest.warns(UserWarning, match=r"partial \(1 of 2 operations are on the GPU.*ZEROS_LIKE"):
        model = edgekit.load(chain("ABS", "ZEROS_LIKE"), device="gpu")
    assert model.tensors(np.ones((1, 3), np.float32))[0].tolist() == [[0, 0, 0]]
    with pytest.raises(UsageError, match=r"takes none of the model's operations \(ZEROS_LIKE"):
        edgekit.load(chain("ZEROS_LIKE", "ZEROS_LIKE"), device="gpu")


def test_models_with_variables_are_refused(shared: Path) -> None:
    with pytest.raises(UsageError, match="the model has variables"):
        edgekit.load(shared / "tflite" / "keras_lstm_mnist_ptq.tflite", device="gpu")


def test_what_no_runtime_can_open_is_told_with_the_cause(build: Callable[..., Path]) -> None:
    custom = build("CUSTOM", [("x", (1, 3), "float32")], [("y", (1, 3), "float32")], "nothing")
    with pytest.raises(DeviceError, match="unresolved custom op: nothing"):
        edgekit.load(custom, device="gpu")


def test_a_process_that_is_killed_in_the_middle_is_replaced_and_runs_the_same_input(
    chain: Callable[..., Path], children: Children
) -> None:
    path, before = chain("NEG"), children()
    model = edgekit.load(path, device="gpu")
    chain("ABS").replace(path)  # converted anew meanwhile: not what this pipeline runs
    [child] = children() - before
    os.kill(child, signal.SIGSTOP)  # what it is asked for from now on is certainly not answered
    threading.Timer(0.1, os.kill, (child, signal.SIGKILL)).start()
    with pytest.warns(UserWarning, match=r"reloaded \(.*SIGKILL.*has the same input now\)"):
        [answer] = model.tensors(np.array([[1, 2, 3]], np.float32))
    assert answer.tolist() == [[-1, -2, -3]]
    [another] = children() - before
    assert another != child
    assert model.tensors(np.array([[4, 5, 6]], np.float32))[0].tolist() == [[-4, -5, -6]]


def test_a_process_that_hangs_is_killed_at_the_limit(chain: Callable[..., Path], children: Children) -> None:
    before = children()
    model = edgekit.load(chain("NEG"), device="gpu", inference_timeout=1.5)
    [child] = children() - before
    os.kill(child, signal.SIGSTOP)
    with pytest.warns(UserWarning) as told:
        [answer] = model.tensors(np.array([[1, 2, 3]], np.float32))
    assert answer.tolist() == [[-1, -2, -3]]
    said = [str(warning.message) for warning in told]
    assert any("hung" in text and "did not answer within 1.5 s" in text for text in said)
    assert any("reloaded" in text for text in said)
    assert child not in children()


def test_other_threads_go_on_while_the_gpu_computes(chain: Callable[..., Path], children: Children) -> None:
    before = children()
    model = edgekit.load(chain("NEG"), device="gpu", inference_timeout=60)
    [child] = children() - before
    ticks: list[int] = []

    def tick() -> None:
        while len(ticks) < 20:
            time.sleep(1e-3)
            ticks.append(1)
        os.kill(child, signal.SIGCONT)

    os.kill(child, signal.SIGSTOP)
    threading.Thread(target=tick).start()
    model.tensors(np.zeros((1, 3), np.float32))  # answered only once the other thread came to its end
    assert len(ticks) == 20


def test_the_process_ends_with_its_parent_however_that_ends(chain: Callable[..., Path]) -> None:
    program = (
        "import edgekit, sys, time\n"
        f"model = edgekit.load({str(chain('NEG'))!r}, device='gpu')\n"
        "print(open('/proc/self/task/' + str(__import__('os').getpid()) + '/children').read(), flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-W", "ignore", "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    with parent:
        [child] = map(int, parent.stdout.readline().split())
        assert os.getsid(child) == child  # a session of its own: Ctrl-C does not reach it
        parent.kill()
    # Nobody waits for it any more: it is gone, or a zombie where process 1 reaps none.
    state = Path(f"/proc/{child}/stat")
    while state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)
