"""Fixtures for all tests."""

from __future__ import annotations

import io
import runpy
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from ctypes.util import find_library
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import metadata, plugins
from edgekit.cli import main
from edgekit.device import Device
from edgekit.metadata import InputMetadata, Metadata, Normalization, OutputMetadata

SOFTWARE_DRIVER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")


# Test modules are imported by path, each on its own, so that helpers come in here and go out as fixtures.
@cache
def _tiny() -> dict[str, Any]:
    return runpy.run_path(str(Path(__file__).with_name("tiny_models.py")))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What EdgeKit keeps of its trials goes to a folder of the tests, and none of the user's counts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real models and inputs by other people, beside the checkout."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the real models are not here: {folder}")
    return folder


@pytest.fixture(scope="session")
def pack_model() -> Callable[[Any], bytes]:
    """Makes bytes of a `ModelT` of ai_edge_litert.schema_py_generated."""
    pack: Callable[[Any], bytes] = _tiny()["pack"]
    return pack


@pytest.fixture
def tiny_parts() -> Any:
    """The tiny classifier as a `ModelT`, to be changed before it is packed."""
    return _tiny()["classifier"]()


@pytest.fixture(scope="session")
def tiny_bytes() -> bytes:
    """A `.tflite` file of 2 kB: a gray int8 picture (1, 8, 8, 1) of 0 to 1 in, ten int8 scores out.

    Class k answers to light at the pixels whose number (row by row) ends in k.
    """
    content: bytes = _tiny()["pack"](_tiny()["classifier"]())
    return content


@pytest.fixture
def tiny_classifier(tmp_path: Path, tiny_bytes: bytes) -> Path:
    """Path of the tiny classifier, without metadata."""
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_bytes)
    return path


@pytest.fixture(scope="session")
def gone() -> Callable[[Iterable[str | int]], bool]:
    """Whether processes have ended; those that were killed are given a moment to."""

    def running(pid: str | int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    def ended(pids: Iterable[str | int]) -> bool:
        found = list(pids)
        for _ in range(1000):
            if not any(map(running, found)):
                return True
            time.sleep(0.02)
        return False

    return ended


@pytest.fixture
def vulkan() -> None:
    """There is a Vulkan loader."""
    if find_library("vulkan") is None:
        pytest.skip("needs the Vulkan loader: apt install libvulkan1")


@pytest.fixture
def software_gpu(vulkan: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one Vulkan adapter is SwiftShader, which computes on the processor."""
    if not SOFTWARE_DRIVER.exists():
        pytest.skip(f"needs the software Vulkan device of Debian's chromium package ({SOFTWARE_DRIVER})")
    monkeypatch.setenv("VK_DRIVER_FILES", str(SOFTWARE_DRIVER))


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Registers devices by name, as the only ones that packages brought."""

    def fill(**devices: Device) -> None:
        class Point:
            def __init__(self, device: Device) -> None:
                self.load = lambda: device

        monkeypatch.setattr(plugins, "registered", lambda group: {name: Point(it) for name, it in devices.items()})

    return fill


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Path]:
    """Makes a model file of one operator from its name, input tensors and output tensors.

    A tensor is a tuple of name, shape, type, and where it is quantized scale and zero point.
    """

    def make(operator: str, inputs: Sequence[Any], outputs: Sequence[Any], code: str = "") -> Path:
        path = tmp_path / f"{operator.lower()}.tflite"
        path.write_bytes(_tiny()["pack"](_tiny()["one_operator"](operator, inputs, outputs, code)))
        return path

    return make


@pytest.fixture
def chain(tmp_path: Path) -> Callable[..., Path]:
    """Makes a model file of operators one behind the other, on three float features."""

    def make(*operators: str) -> Path:
        path = tmp_path / f"{'_'.join(operators).lower()}.tflite"
        path.write_bytes(_tiny()["pack"](_tiny()["chain"](operators, 3)))
        return path

    return make


@pytest.fixture(scope="session")
def delegate_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`delegate.c`, compiled: a delegate that takes ABS and NEG, and fails as its options say."""
    path = tmp_path_factory.mktemp("delegate") / "libdelegate.so"
    source = Path(__file__).with_name("delegate.c")
    try:
        subprocess.run(["cc", "-shared", "-fPIC", str(source), "-lm", "-o", str(path)], check=True)
    except FileNotFoundError:
        pytest.skip("needs a C compiler for the delegate")
    return path


@pytest.fixture
def numbers(build: Callable[..., Path]) -> Path:
    """A model of three float features, which takes their absolute values."""
    return build("ABS", [("x", (1, 3), "float32")], [("y", (1, 3), "float32")])


@pytest.fixture
def sigmoid(build: Callable[..., Path]) -> Path:
    """A model of one float feature that ends in a sigmoid."""
    return build("LOGISTIC", [("x", (1, 1), "float32")], [("y", (1, 1), "float32")])


@pytest.fixture
def photo_model(build: Callable[..., Path]) -> Path:
    """A model that takes a float picture of 8 by 8 pixels and gives it back."""
    return build("ABS", [("image", (1, 8, 8, 3), "float32")], [("y", (1, 8, 8, 3), "float32")])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Pictures that the tiny classifier knows as 0, 1 and 2."""
    cv2 = pytest.importorskip("cv2")
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        pixels = np.where(np.arange(64) % 10 == number, 255, 0).astype(np.uint8).reshape(8, 8)
        assert cv2.imwrite(str(folder / f"{number}.png"), pixels)
    return folder


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs `edgekit` with arguments, the command's name first, and gives its exit code."""

    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["edgekit", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        code = caught.value.code
        assert isinstance(code, int)
        return code

    return run


@pytest.fixture
def call(command: Callable[..., int]) -> Callable[..., int]:
    """Runs `edgekit run` with arguments and gives its exit code."""
    return partial(command, "run")


@pytest.fixture(scope="session")
def said() -> Metadata:
    """Metadata of the tiny classifier, with something in every field."""
    return Metadata(
        name="Digits",
        description="Which digit it is.",
        version="1.2",
        author="A. Maker",
        license="Apache-2.0",
        inputs=(
            InputMetadata(
                name="image", description="A digit", content="image", channels="gray",
                normalization=Normalization((123.675,), (255.0,)), resize="letterbox", minimum=(0.0,), maximum=(1.0,),
            ),
        ),
        outputs=(
            OutputMetadata(
                name="scores", description="How sure", labels=tuple(f"digit {number}" for number in range(10))
            ),
        ),
        task="classification",
        target="coral",
        provenance={"source": "digits.keras", "samples": 100, "versions": {"keras": "3.15.1"}},
    )


@pytest.fixture(scope="session")
def describe() -> Callable[[Path, Metadata], None]:
    """Writes metadata into a model file, in its place."""

    def write(path: Path, about: Metadata) -> None:
        path.write_bytes(metadata.write(path.read_bytes(), about))

    return write


@pytest.fixture(scope="session")
def with_archive() -> Callable[..., bytes]:
    """Makes a model with an archive as other tools append it; `__` in a name stands for a dot."""

    def add(model: bytes, **members: str | bytes) -> bytes:
        stream = io.BytesIO(model)
        with zipfile.ZipFile(stream, "a") as archive:
            for name, content in members.items():
                archive.writestr(name.replace("__", "."), content)
        return stream.getvalue()

    return add


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversions run in the test's own process, which has TensorFlow loaded: 1 s rather than 6.

    All but the child process is the same, and that ranges are not chosen by trying; both have tests of their own.
    """
    pytest.importorskip("tensorflow", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")
    from edgekit_converters import options, process

    monkeypatch.setattr(options, "AUTO", "minmax")
    monkeypatch.setattr(process, "run", lambda job, report, **_others: job.carry_out(report))
