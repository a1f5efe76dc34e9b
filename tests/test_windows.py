"""From samples in time to windows: what comes out is what an offline cut gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.errors import DataError, UsageError
from edgekit.metadata.types import Window
from edgekit.sources import Event, Problem, Sample
from edgekit.windows import Block, Cut, Windowed, Windower, WindowOptions, offline_windows, parse_span, window_of


def block(times: Any, values: Any, **others: Any) -> Block:
    values = np.asarray(values, np.float32)
    return Block(np.asarray(times, np.float64), values.reshape(len(values), -1), "test", **others)


def pieces(whole: Block, sizes: Sequence[int]) -> Iterator[Block]:
    """The same samples in blocks of the given sizes, round and round."""
    at = turn = 0
    while at < len(whole.times):
        size = sizes[turn % len(sizes)]
        yield Block(whole.times[at : at + size], whole.values[at : at + size], whole.source)
        at, turn = at + size, turn + 1


def told(blocks: Iterator[Block], window: Window, invalid: Any = "drop") -> list[Any]:
    """Everything a windower says, windows as plain arrays."""
    windower = Windower(window, invalid)
    return [
        (item.start, item.end, item.values.tobytes()) if isinstance(item, Cut) else (item.kind, item.detail)
        for each in blocks
        for item in windower.push(each)
    ]


@st.composite
def recordings(draw: st.DrawFn) -> Block:
    """Samples at some rate with jitter, gaps, late samples, steps of the clock and NaN."""
    count = draw(st.integers(1, 400))
    rate = draw(st.floats(0.5, 2000))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps = np.full(count, 1 / rate) * (1 + draw(st.floats(0, 0.4)) * random.uniform(-1, 1, count))
    for kind in (draw(st.lists(st.sampled_from([-40, -1.2, 0, 2.2, 100]), max_size=5))):
        steps[random.integers(count)] = kind / rate
    values = random.normal(size=(count, draw(st.integers(1, 4)))).astype(np.float32)
    values[random.random(count) < draw(st.sampled_from([0, 0.05]))] = np.nan
    return block(draw(st.floats(0, 1e6)) + np.cumsum(steps), values)


@settings(max_examples=40, deadline=None)
@given(
    recordings(), st.lists(st.integers(1, 90), min_size=1, max_size=5), st.integers(1, 40), st.integers(1, 60),
    st.one_of(st.none(), st.floats(0.5, 2000)), st.one_of(st.none(), st.floats(1e-3, 2)),
    st.sampled_from(["drop", "hold", "refuse"]),
)
def test_windows_do_not_depend_on_how_the_samples_come_in_blocks(
    whole: Block, sizes: list[int], size: int, hop: int, rate: float | None, gap: float | None, invalid: str
) -> None:
    span = float(np.ptp(whole.times))
    window = Window(size, hop, rate if rate is None or span * rate < 20000 else 20000 / span, max_gap=gap)
    assert told(pieces(whole, sizes), window, invalid) == told(iter([whole]), window, invalid)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 300), st.integers(1, 50), st.integers(1, 70), st.lists(st.integers(1, 60), min_size=1, max_size=4),
    st.floats(1, 20000), st.floats(0, 1e5),
)
def test_a_stream_at_its_own_rate_is_cut_like_an_array(
    count: int, size: int, hop: int, sizes: list[int], rate: float, start: float
) -> None:
    values = np.arange(count * 2, dtype=np.float32).reshape(count, 2)
    whole = block(start + np.arange(count) / rate, values)
    expected = [values[at : at + size] for at in range(0, count - size + 1, hop)]
    for given_rate in (None, rate):
        found = list(offline_windows(pieces(whole, sizes), Window(size, hop, given_rate)))
        assert len(found) == len(expected)
        for cut, wanted in zip(found, expected, strict=True):
            np.testing.assert_array_equal(cut.values, wanted)
            assert cut.end - cut.start == pytest.approx((size - 1) / rate, rel=1e-3, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.floats(20, 2000), st.floats(1, 500), st.floats(0, 0.45), st.integers(0, 2**32 - 1))
def test_resampling_is_the_straight_line_between_neighbours(
    own: float, rate: float, jitter: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    times = (np.arange(200) + random.uniform(-jitter, jitter, 200)) / own
    values = random.normal(size=200).astype(np.float32)
    cuts = list(offline_windows([block(times, values)], Window(1, 1, rate, max_gap=10)))
    grid = np.array([cut.start for cut in cuts])
    found = np.array([cut.values[0, 0] for cut in cuts])
    np.testing.assert_allclose(np.diff(grid), 1 / rate, rtol=1e-6)
    # A time within a thousandth of a period of a sample's counts as that sample's.
    bound = 1e-3 / rate * np.abs(np.diff(values) / np.diff(times)).max() + 1e-5
    np.testing.assert_allclose(found, np.interp(grid, times, values), atol=bound)
    assert times[-1] - grid[-1] < 1 / rate


def test_no_window_spans_a_gap_and_each_gap_is_told() -> None:
    times = np.concatenate((np.arange(10), 30 + np.arange(10))) / 10
    values = np.arange(20)
    windower = Windower(Window(4, 4, 10))
    events = [item for item in windower.push(block(times, values)) if isinstance(item, Event)]
    assert [(event.kind, event.detail) for event in events] == [("gap", "nothing came for 2.1 s: windows start anew")]
    assert windower.gaps == 1
    cuts = offline_windows([block(times, values)], Window(4, 4, 10))
    assert [cut.values[0, 0] for cut in cuts] == [0, 4, 10, 14]


def test_a_sensor_that_is_slower_than_the_rate_is_told_once() -> None:
    slow = block(np.arange(20) / 2, np.arange(20))
    windower = Windower(Window(2, 1, 10))
    events = [item for item in windower.push(slow) if isinstance(item, Event)]
    assert [event.detail for event in events] == ["samples come 0.5 s apart, more than is bridged (see max_gap)"]
    assert windower.gaps == 19
    assert len(list(offline_windows([slow], Window(2, 1, 10, max_gap=0.5)))) == 95


def test_one_lost_sample_is_bridged_and_two_are_a_gap() -> None:
    times = np.delete(np.arange(12), [4]) / 10
    assert [len(list(offline_windows([block(times, np.delete(np.arange(12), [4]))], Window(12, 1, 10))))] == [1]
    times = np.delete(np.arange(12), [4, 5]) / 10
    assert not list(offline_windows([block(times, times)], Window(12, 1, 10)))
    assert len(list(offline_windows([block(times, times)], Window(12, 1, 10, max_gap=0.5)))) == 1


def test_a_clock_that_steps_back_starts_anew_and_a_late_sample_is_left_out() -> None:
    whole = block([0, 0.1, 0.05, 0.2, 0.3, -50, -49.9, -49.8], range(8))
    windower = Windower(Window(3, 3, 10))
    events = [item for item in windower.push(whole) if isinstance(item, Event)]
    assert [(event.kind, event.detail) for event in events] == [
        ("clock", "its clock went back by 50.3 s: windows start anew")
    ]
    assert windower.late == 1
    assert [cut.values[:, 0].tolist() for cut in offline_windows([whole], Window(3, 3, 10))] == [[0, 1, 3], [5, 6, 7]]


NAN = float("nan")


@pytest.mark.parametrize(
    ("invalid", "expected"),
    [("drop", [0, 1, 4, 5]), ("hold", [0, 1, 1, 1, 4, 5]), ("refuse", [0, 1, NAN, NAN, 4, 5])],
)
def test_what_becomes_of_values_that_no_sensor_gives(invalid: Any, expected: list[float]) -> None:
    window = Window(1, 1, limits=(-10, 10))
    windower = Windower(window, invalid)
    items = list(windower.push(block(np.arange(6), [0, 1, NAN, 99, 4, 5])))
    cuts = [item for item in items if isinstance(item, Cut)]
    found = [cut.values[0, 0] if cut.valid else NAN for cut in cuts]
    np.testing.assert_array_equal(found, expected)
    assert windower.invalid == 2


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.floats(-5, 5, width=32), st.just(NAN)), min_size=1, max_size=40), st.integers(1, 7))
def test_hold_gives_the_last_good_value(values: list[float], size: int) -> None:
    held, expected = None, []
    for value in values:
        held = value if np.isfinite(value) else held
        expected += [] if held is None else [held]
    whole = block(np.arange(len(values)), values)
    found = [float(cut.values[0, 0]) for cut in offline_windows(pieces(whole, [size]), Window(1, 1), "hold")]
    assert found == expected


class Scripted:
    """A stream that gives what it is told to."""

    uri, reads_ahead, live, rate = "test:script", False, False, None

    def __init__(self, *items: Any) -> None:
        self.items = items

    def blocks(self) -> Iterator[Any]:
        yield from self.items

    def __iter__(self) -> Iterator[Any]:
        return iter(())


def ramp(count: int, **others: Any) -> Block:
    values: NDArray[np.float32] = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
    return block(np.arange(count) / 10, values, **others)


def test_a_windowed_stream_gives_samples_in_the_input_s_shape() -> None:
    source = Windowed(Scripted(ramp(7), Event("test", "lost")), Window(3, 2, 10), shape=(6,))
    items = list(source)
    assert [item.sequence for item in items if isinstance(item, Sample)] == [0, 1, 2]
    first = items[0]
    assert isinstance(first, Sample)
    assert first.position == pytest.approx(0.2)
    np.testing.assert_array_equal(first.data, [0, 1, 2, 3, 4, 5])
    assert [item.kind for item in items if isinstance(item, Event)] == ["lost"]


def test_samples_own_their_values() -> None:
    samples = [item for item in Windowed(Scripted(ramp(9)), Window(3, 1)) if isinstance(item, Sample)]
    starts = [np.asarray(sample.data)[0, 0] for sample in samples]
    assert starts == [0, 2, 4, 6, 8, 10, 12]


def test_a_window_with_invalid_values_is_a_problem_where_it_is_refused() -> None:
    values = np.arange(6, dtype=np.float32)
    values[1] = np.nan
    items = list(Windowed(Scripted(block(np.arange(6) / 10, values)), Window(3, 3, 10), invalid="refuse"))
    assert isinstance(items[0], Problem)
    assert "invalid" in items[0].reason
    assert isinstance(items[1], Sample)
    assert [item.kind for item in items if isinstance(item, Event)] == ["invalid"]


def test_channels_are_taken_by_name() -> None:
    swapped = ramp(3, channels=("y", "x"))
    sample: Any = next(iter(Windowed(Scripted(swapped), Window(3, 3, channels=("x", "y")))))
    np.testing.assert_array_equal(sample.data, swapped.values[:, ::-1])
    with pytest.raises(DataError, match="has no channel z; it has y, x"):
        list(Windowed(Scripted(swapped), Window(3, 3, channels=("x", "z"))))


def test_a_window_of_another_size_than_the_input_is_refused() -> None:
    with pytest.raises(DataError, match=r"gives 6 numbers, \[3, 2\], and the model takes 8"):
        list(Windowed(Scripted(ramp(9)), Window(3, 3), shape=(4, 2)))


@pytest.mark.parametrize(
    ("text", "rate", "expected"), [("100", None, 100), ("2s", 50, 100), ("500ms", 50, 25), (" 0.5s", 10, 5)]
)
def test_spans_are_samples_or_seconds(text: str, rate: float | None, expected: int) -> None:
    assert parse_span(text, rate, "window") == expected


@pytest.mark.parametrize(
    ("text", "rate", "message"),
    [("2s", None, "no rate is known"), ("1.5", 10, "whole number"), ("", 1, "cannot be ''"), ("0", 1, "whole number"),
     ("-3", 1, "cannot be"), ("2m", 1, "cannot be"), ("1ms", 10, "whole number")],
)
def test_spans_that_are_none_are_refused(text: str, rate: float | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_span(text, rate, "window")


def test_what_the_user_says_goes_before_what_the_file_says() -> None:
    said = Window(100, 25, 50.0, ("x",), "stats", (-2, 2))
    assert window_of(WindowOptions(), None) is None
    assert window_of(WindowOptions(hop="1s"), said) == Window(100, 50, 50.0, ("x",), "stats:of=mean+std+min+max+rms",
                                                             (-2, 2))
    found = window_of(WindowOptions(window="10", rate=20, features="", limits="-1..1", max_gap=3), said)
    assert found == Window(10, 10, 20, ("x",), "", (-1, 1), 3)
    assert window_of(WindowOptions(rate=20), None, (30, 6)) == Window(30, 30, 20)
    with pytest.raises(UsageError, match="size of the windows is not known"):
        window_of(WindowOptions(rate=20), None, (30,))


@pytest.mark.parametrize(
    "options", [{"rate": 0}, {"rate": float("nan")}, {"invalid": "ignore"}, {"max_gap": -1}]
)
def test_options_of_windows_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        WindowOptions(**options)
