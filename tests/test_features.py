"""What is computed of windows."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.errors import DataError, MissingDependencyError, UsageError
from edgekit.features import parse_features
from edgekit.features.sound import dct, mel_bank
from edgekit.features.statistics import STATISTICS

WORD = "logmel:frame=1024,hop=512,bands=40,window=hamming,emphasis=0.96875,divide=1024,mean=-52,std=64,clip=0..1"


def tone(hertz: float, rate: float = 16000, samples: int = 16000) -> Any:
    return np.sin(2 * np.pi * hertz * np.arange(samples) / rate).astype(np.float32)[:, None]


@pytest.mark.parametrize(
    "text", ["", WORD, "mfcc:rate=8000,coefficients=12", "spectrogram:frame=256,hop=128,log=ln", "stats:of=mean+rms",
             "bands:rate=50,edges=0..5..10", "logmel:scale=slaney,area=yes"],
)
def test_a_declaration_says_all_and_is_read_again(text: str) -> None:
    made = parse_features(text)
    assert parse_features(str(made)) == made
    assert str(parse_features(str(made), rate=1234)) == str(made)


def test_the_rate_of_the_stream_is_taken_where_none_is_given() -> None:
    assert "rate=8000" in str(parse_features("logmel", 8000))
    assert "rate=4000" in str(parse_features("logmel:rate=4000", 8000))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mel", "features"), ("logmel:band=3", "option"), ("logmel:bands", "has no value"), ("logmel:bands=x", "bands"),
        ("logmel:low=9000", "make no sense"), ("logmel:frame=1", "frame has to be"), ("logmel:window=box", "window"),
        ("mfcc:coefficients=99", "coefficients"), ("stats:of=mode", "of"), ("bands:edges=3..2", "rise"),
        ("spectrogram:log=log2", "log"), ("logmel:clip=1", "clip"), ("micro:rate=8000", "16000"),
    ],
)
def test_declarations_that_make_no_sense_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_features(text)


def test_shapes() -> None:
    window = tone(440, samples=15872)
    assert parse_features(WORD)(window).shape == (30, 40)
    assert parse_features("mfcc:frame=512,hop=256")(window).shape == (61, 13)
    assert parse_features("spectrogram:frame=256,hop=256")(window).shape == (62, 129)
    assert parse_features("stats")(np.zeros((50, 6), np.float32)).shape == (6, 5)
    assert parse_features("bands:rate=50,edges=0..5..10")(np.zeros((50, 6), np.float32)).shape == (6, 2)
    with pytest.raises(DataError, match="one channel, and there are 2"):
        parse_features("logmel")(np.zeros((2000, 2), np.float32))
    with pytest.raises(DataError, match="shorter than a frame"):
        parse_features("logmel")(np.zeros((100, 1), np.float32))


@settings(max_examples=12, deadline=None)
@given(st.floats(150, 7000), st.sampled_from(["htk", "slaney"]))
def test_a_tone_is_loudest_in_its_own_band(hertz: float, scale: str) -> None:
    mels = parse_features(f"logmel:bands=40,scale={scale}")(tone(hertz))
    bank = mel_bank(16000, 1024, 40, 0, 8000, scale, False)
    nearest = bank[round(hertz * 1024 / 16000)]
    assert nearest[np.argmax(mels.mean(axis=0))] > 0


def test_mel_bands_are_those_of_the_published_scales() -> None:
    bank = mel_bank(16000, 1024, 40, 0, 8000, "htk", False)
    centres = bank.argmax(axis=0) * 16000 / 1024
    mel = 2595 * np.log10(1 + 8000 / 700)
    np.testing.assert_allclose(centres, 700 * (10 ** (np.arange(1, 41) * mel / 41 / 2595) - 1), atol=16000 / 1024)
    slaney = mel_bank(22050, 2048, 128, 0, 11025, "slaney", True)
    assert slaney.argmax(axis=0)[:5].tolist() == [2, 5, 7, 10, 12]  # linear below 1 kHz: every 25.0 Hz
    np.testing.assert_allclose(slaney.sum(axis=0)[40:] * 22050 / 2048, 1, rtol=0.03)  # each has an area of 1 Hz


def test_the_cosine_transform_is_orthonormal() -> None:
    basis = dct(40, 40)
    np.testing.assert_allclose(basis.T @ basis, np.eye(40), atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 200), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_statistics_are_numpy_s(samples: int, channels: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(samples, channels)).astype(np.float32)
    found = parse_features(f"stats:of={'+'.join(STATISTICS)}")(values)
    exact = values.astype(np.float64)
    np.testing.assert_allclose(found[:, 0], exact.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[:, 1], exact.std(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found[:, 5], np.sqrt((exact**2).mean(axis=0)), rtol=1e-5)
    constant = parse_features("stats:of=skew+kurtosis+crossings")(np.ones((samples, channels), np.float32))
    np.testing.assert_array_equal(constant, 0)


@pytest.mark.parametrize(("hertz", "band"), [(3, 0), (12, 1), (22, 2)])
def test_the_power_of_a_sine_lies_in_its_band(hertz: float, band: int) -> None:
    sine = 5 + tone(hertz, 50, 250)
    power = parse_features("bands:rate=50,edges=0..8..16..25")(sine)[0]
    assert power[band] == pytest.approx(0.5, rel=0.02)
    assert power.sum() == pytest.approx(0.5, rel=0.02)


def test_the_micro_front_end_gives_forty_features_each_ten_milliseconds() -> None:
    pytest.importorskip("pymicro_features", reason="needs the audio extra")
    loud = parse_features("micro")(tone(440))
    assert loud.shape == (98, 40)
    assert loud.argmax(axis=1)[5] < 20 < loud.max()
    with pytest.raises(DataError, match="shorter than a frame"):
        parse_features("micro")(tone(440, samples=100))


def test_without_the_library_the_micro_front_end_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pymicro_features", None)
    with pytest.raises(MissingDependencyError, match="pymicro-features"):
        parse_features("micro")(tone(440))


def test_the_features_of_the_wake_word_give_the_reference_file_its_known_scores(shared: Path) -> None:
    from edgekit.interpreter import Engine
    from edgekit.quantization import dequantize, quantize, scale_of
    from edgekit.tflite import read_model

    path = shared / "keras" / "str_ww_ref_model.tflite"
    model, engine, features = read_model(path), Engine(path), parse_features(WORD, 16000)
    scale, back = scale_of(model.inputs[0]), scale_of(model.outputs[0])
    assert scale and back
    with wave.open(str(shared / "audio" / "short_wav_easy10s.wav")) as sound:
        pcm = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").reshape(-1, 2)
    samples = (pcm[:, :1] / 32768).astype(np.float32)
    scores, ends = [], np.arange(15872, len(samples), 512)
    for end in ends:
        values = features(samples[end - 15872 : end]).reshape(1, 30, 1, 40)
        [output] = engine.run([quantize(values, scale, "int8")])
        scores.append(dequantize(output, back)[0, 0])
    inside = [(ends / 16000 >= start) & (ends / 16000 <= stop + 0.5) for start, stop in
              ((1.0, 1.65), (4.0, 4.76), (7.0, 7.36))]
    peaks = [np.array(scores)[part].max() for part in inside]
    np.testing.assert_allclose(peaks, [0.996, 0.953, 0.891], atol=0.005)
    assert np.array(scores)[~np.any(inside, axis=0)].max() < 0.35
