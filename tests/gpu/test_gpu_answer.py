"""What LiteRT's accelerator says in its log."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgekit_devices.gpu import answer, diagnosis

CHOSEN = (
    "I0000 00:00:1795416818.844103   32764 environment.cc:532] Selected adapter: Orin (nvgpu), arch=ampere, "
    "vendor=nvidia, backend=Vulkan, adapterType=integrated GPU\n"
)
PARTLY = (
    "INFO: [gpu_environment.h:155] Created LiteRT GpuEnvironment.\n"
    "ERROR: Following operations are not supported by GPU delegate:\n"
    "CUSTOM TFLite_Detection_PostProcess: TFLite_Detection_PostProcess\n"
    "GATHER_ND: Operation is not supported.\n"
    "112 operations will run on the GPU, and the remaining 45 operations will run on the CPU.\n"
    "I0000 00:00:1795416818.850704   32764 delegate_kernel.cc:984] Initializing WebGPU-based API from graph.\n"
)
NOTHING = (
    "ERROR: Following operations are not supported by GPU delegate:\n"
    "RANK: Operation is not supported.\n"
    "No operations will run on the GPU, and all 1 operations will run on the CPU.\n"
)
NO_ADAPTER = (
    "ERROR: [delegate_webgpu.cc:359] Failed to initialize WebGPU environment: INTERNAL: No adapters found\n"
    "E0000 00:00:1795416807.362806   32427 delegate_webgpu.cc:736] Failed to get or create delegate\n"
)


def test_all_of_a_model_on_a_gpu() -> None:
    told = answer.read(CHOSEN)
    assert told == answer.Answer(adapter="Orin (nvgpu)")
    assert not told.software


def test_a_part_of_it() -> None:
    told = answer.read(CHOSEN + PARTLY + CHOSEN + PARTLY)  # the second attempt says it again
    assert (told.taken, told.left, told.faults) == (112, 45, ())
    assert len(told.reasons) == 2
    assert diagnosis.partly(told) == (
        "112 of 157 operations are on the GPU, the others on the processor (CUSTOM TFLite_Detection_PostProcess: "
        "TFLite_Detection_PostProcess; GATHER_ND: Operation is not supported)"
    )


def test_none_of_it() -> None:
    told = answer.read(NOTHING)
    assert told.nothing
    assert "takes none of the model's operations (RANK" in str(diagnosis.nothing_taken(told))


def test_errors_are_kept_without_their_places_in_sources() -> None:
    told = answer.read(NO_ADAPTER)
    assert told.faults == (
        "Failed to initialize WebGPU environment: INTERNAL: No adapters found",
        "Failed to get or create delegate",
    )


def test_software_is_told_from_a_gpu() -> None:
    told = answer.read(CHOSEN.replace("integrated GPU", "CPU / Software").replace("Orin (nvgpu)", "llvmpipe"))
    assert told.software
    assert diagnosis.software(told).startswith("llvmpipe is no GPU")


PIECES = (CHOSEN, PARTLY, NOTHING, NO_ADAPTER, "ERROR: ", "\n", "\0ü")


@given(st.lists(st.sampled_from(PIECES)).map("".join) | st.text())
def test_any_log_is_read(log: str) -> None:
    told = answer.read(log)
    assert told.left >= 0
    assert all("\n" not in reason for reason in told.reasons)
