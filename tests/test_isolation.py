"""Functions called in a child process, and what comes of one that gives no answer."""

from __future__ import annotations

import pytest

from edgekit import DeviceError
from edgekit_devices import isolation

TRIAL = {"model": "", "library": "/absent.so", "spec": "", "options": {}}


def test_an_error_comes_back_as_it_was_raised() -> None:
    with pytest.raises(DeviceError, match="no Edge TPU runtime") as told:
        isolation.call("edgekit_devices.coral.trial:attempt", TRIAL, seconds=30)
    assert "libedgetpu1-std" in told.value.hint


def test_what_is_no_answer_is_told_with_the_last_line_of_the_log() -> None:
    with pytest.raises(isolation.CrashedError, match="the child process ended with exit code 1") as caught:
        isolation.call("edgekit_devices.isolation:absent", {}, seconds=30)
    assert "AttributeError" in caught.value.log
    assert (caught.value.step, caught.value.signalled) == ("", False)


def test_a_child_is_ended_at_its_limit() -> None:
    with pytest.raises(isolation.HungError, match=r"did not answer within 0\.001 s"):
        isolation.call("edgekit_devices.coral.trial:attempt", TRIAL, seconds=0.001)
