"""Numbers from text and array files."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit import DataError, MissingFileError
from edgekit.tables import iterate_rows, read_arrays, read_rows

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


def write(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "1,2.5\n-3,4e2\n",
        "1;2.5\n-3;4e2",
        "1\t2.5\n-3\t4e2\n",
        "a,b\n1,2.5\n-3,4e2\n",
        "\ufeffa;b\r\n1;2.5\r\n-3;4e2\r\n",
        "# made by hand, today\n\n\"x, y\",z\n# more\n1, 2.5\n\n-3,\"4e2\"\n\n",
    ],
)
def test_texts_are_read(tmp_path: Path, text: str) -> None:
    rows = read_rows(write(tmp_path, text), 2)
    assert rows.dtype == np.float32
    assert rows.tolist() == [[1, 2.5], [-3, 400]]


@given(st.lists(st.lists(FINITE, min_size=3, max_size=3), min_size=1, max_size=5), st.sampled_from(";,\t"))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list[list[float]], mark: str) -> None:
    text = "".join(mark.join(map(repr, row)) + "\n" for row in rows)
    assert np.array_equal(read_rows(write(tmp_path_factory.mktemp("t"), text)), np.array(rows, np.float32))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n3,x\n", r"line 3: column 2 is 'x', which is no number"),
        ("1,2\n\n3,\n", r"line 3: column 2 is empty"),
        ("1,nan\n", r"line 1: column 2 is nan"),
        ("1,2\n-inf,2\n", r"line 2: column 1 is -inf"),
        ("1,2\n1e39,2\n", r"line 2: column 1 is inf"),
        ("1,2\n1,2,3\n", r"line 2: 3 numbers where 2 are wanted"),
        ("1;2,5\n", r"line 1: column 2 is '2,5'"),
        ("1,2\n1_000,2\n", r"line 2: column 1 is '1_000', which is no number"),
        ("1,5;2,5\n", r"line 1: column 1 is '1,5', .* \(write decimals with a point"),
        ("1.234,5;2\n", r"line 1: column 1 is '1.234,5', .* \(write decimals with a point"),
        ("", "holds no row"),
        ("a,b\n", "holds no row"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read_rows(write(tmp_path, text))
    assert "t.csv" in caught.value.message


def test_the_width_wanted_is_checked(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 1: 2 numbers where 3 are wanted"):
        read_rows(write(tmp_path, "1,2\n"), 3)


def test_a_bad_row_does_not_end_the_stream(tmp_path: Path) -> None:
    rows = list(iterate_rows(write(tmp_path, "1,2\n3,oops\n5\n6,7\n")))
    assert [row.where for row in rows] == ["line 1", "line 2", "line 3", "line 4"]
    assert [row.values is None for row in rows] == [False, True, True, False]
    assert "oops" in rows[1].problem


def test_a_bad_first_row_does_not_set_the_width(tmp_path: Path) -> None:
    rows = list(iterate_rows(write(tmp_path, "1,2,x\n3,4\n5,6\n")))
    assert [row.problem == "" for row in rows] == [False, True, True]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\x01", b"1,2\n\x80\n"])
def test_binary_data_is_no_table(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match="no table"):
        read_rows(path)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_arrays_are_read(tmp_path: Path, suffix: str) -> None:
    path, array = tmp_path / f"a{suffix}", np.arange(24, dtype=np.float64).reshape(2, 3, 4)
    (np.save if suffix == ".npy" else np.savez)(path, array)
    assert read_rows(path, 12).shape == (2, 12)
    assert [row.values.shape for row in iterate_rows(path) if row.values is not None] == [(3, 4), (3, 4)]


def test_pixels_keep_their_type_row_by_row(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 4, 4, 3), np.uint8))
    rows = list(iterate_rows(tmp_path / "a.npy", 12))
    assert [row.values is not None and row.values.dtype for row in rows] == [np.uint8, np.uint8]
    assert read_rows(tmp_path / "a.npy").dtype == np.float32


def test_the_array_called_x_is_taken_of_several(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.ones((1, 2)), y=np.zeros(1))
    assert read_rows(path).tolist() == [[1, 1]]
    np.savez(path, images=np.ones((1, 2)), labels=np.zeros(1))
    with pytest.raises(DataError, match="images, labels") as caught:
        read_rows(path)
    assert "'x'" in caught.value.hint
    assert set(read_arrays(path)) == {"images", "labels"}


def test_infinity_in_an_array_is_told_with_its_place(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", [[1.0, 2.0], [3.0, np.inf]])
    with pytest.raises(DataError, match="row 2: column 2 is inf"):
        read_rows(tmp_path / "a.npy")


def test_damaged_and_foreign_arrays_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{}, None], object), allow_pickle=True)
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    np.save(tmp_path / "number.npy", np.float32(1))
    np.save(tmp_path / "cut.npy", np.zeros(1000))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cut.npy").read_bytes()[:500])
    (tmp_path / "text.npz").write_text("no array")
    (tmp_path / "zip.npz").write_bytes(b"PK\x03\x04 no archive")
    for path in tmp_path.iterdir():
        with pytest.raises(DataError, match=path.name):
            read_rows(path)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv"])
@given(data=st.data())
def test_damage_is_never_another_error(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("t") / f"a{suffix}"
    if suffix == ".csv":
        path.write_text("a,b\n" + "1.5,2\n" * 10)
    else:
        (np.save if suffix == ".npy" else np.savez_compressed)(path, np.arange(12.0).reshape(4, 3))
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=5)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with suppress(DataError):
        read_rows(path)


@pytest.mark.parametrize("name", ["absent.csv", "absent.npy"])
def test_a_missing_file_is_one(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingFileError, match=name):
        read_rows(tmp_path / name)


@pytest.mark.parametrize("text", ["", "a,b\n", "# nothing\n\n"])
def test_a_table_without_rows_is_no_empty_stream(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="holds no row of numbers"):
        list(iterate_rows(write(tmp_path, text)))
    np.save(tmp_path / "none.npy", np.zeros((0, 3)))
    with pytest.raises(DataError, match="holds no row of numbers"):
        list(iterate_rows(tmp_path / "none.npy"))


def test_numpy_s_advice_to_run_code_is_not_passed_on(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    (tmp_path / "noise.npy").write_bytes(b"noise" * 9)
    for name, words in (("objects", "Python objects"), ("noise", "starts like neither")):
        with pytest.raises(DataError, match=words) as caught:
            read_rows(tmp_path / f"{name}.npy")
        assert "pickle" not in str(caught.value)
