"""Pictures from files: what is read, and what is refused with which words."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit import DataError, MissingDependencyError, MissingFileError
from edgekit.images import IMAGE_SUFFIXES, import_cv2, list_images, read_image
from edgekit.sources import open_source

cv2 = pytest.importorskip("cv2")

CUT = [".jpg", ".png", ".bmp", ".webp"]


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    """Blue above, red below, with some texture."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:24, :, 0], pixels[24:, :, 2] = 250, 250
    pixels[:, :, 1] = np.arange(64)
    return pixels


def encode(picture: NDArray[np.generic], suffix: str) -> bytes:
    found, data = cv2.imencode(suffix, picture)
    assert found
    return bytes(data)


@pytest.mark.parametrize("suffix", [suffix for suffix in IMAGE_SUFFIXES if suffix != ".pgm"])
def test_every_format_is_read(tmp_path: Path, picture: NDArray[np.uint8], suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encode(picture, suffix))
    found = read_image(path)
    assert found.dtype == np.uint8
    assert found.shape == picture.shape
    assert np.abs(found.astype(int) - picture).mean() < 4


@pytest.mark.parametrize("name", ["Übung 写真.png", "no_suffix", "wrong.jpg"])
def test_the_name_does_not_matter(tmp_path: Path, picture: NDArray[np.uint8], name: str) -> None:
    (tmp_path / name).write_bytes(encode(picture, ".png"))
    assert np.array_equal(read_image(tmp_path / name), picture)


def test_other_depths_become_three_channels_of_eight_bits(tmp_path: Path, picture: NDArray[np.uint8]) -> None:
    grey = picture[..., 1]
    variants: dict[str, tuple[NDArray[np.generic], NDArray[np.uint8]]] = {
        "grey": (grey, np.dstack([grey] * 3)),
        "deep": (picture.astype(np.uint16) * 257, picture),
        "see_through": (np.dstack([picture, np.full(grey.shape, 128, np.uint8)]), picture),
    }
    for name, (pixels, expected) in variants.items():
        path = tmp_path / f"{name}.png"
        path.write_bytes(encode(pixels, ".png"))
        assert np.array_equal(read_image(path), expected), name


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 2, 1, 8, 3, 0, 0, 0)
    palette, pixels = bytes([255, 0, 0, 0, 0, 255]), zlib.compress(bytes([0, 0, 1]))
    chunks = chunk(b"IHDR", header) + chunk(b"PLTE", palette) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    (tmp_path / "p.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    assert read_image(tmp_path / "p.png").tolist() == [[[0, 0, 255], [255, 0, 0]]]


@pytest.mark.parametrize("suffix", CUT)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
def test_a_picture_cut_short_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encode(noise, suffix)
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match=r"cut\..*cut short"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".tif", ".ppm"])
def test_the_decoder_refuses_what_is_cut_short_in_other_formats(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(encode(noise, suffix)[:4000])
    with pytest.raises(DataError, match="cut"):
        read_image(path)


def test_a_jpeg_with_a_thumbnail_and_an_appendix_is_whole(tmp_path: Path, picture: NDArray[np.uint8]) -> None:
    """Cameras put a JPEG inside the JPEG and a film, or another JPEG without its end, behind it."""
    data, thumbnail = encode(picture, ".jpg"), encode(picture[::4, ::4], ".jpg")
    with_thumbnail = data[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + data[2:]
    whole = with_thumbnail + thumbnail[:-2] + b"film \xff\xda\x00\xff"
    (tmp_path / "a.jpg").write_bytes(whole)
    assert read_image(tmp_path / "a.jpg").shape == picture.shape
    (tmp_path / "a.jpg").write_bytes(with_thumbnail[:-20])
    with pytest.raises(DataError, match="cut short"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"this is no picture", "no picture, since"),
        (b"RIFF\x10\0\0\0AVI LIST", "no picture, since"),
        (b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sI", 0, b"IEND", 0), "damaged"),
    ],
)
def test_what_is_no_picture_is_named_with_the_reason(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(DataError, match=rf"photo\.jpg.*{words}"):
        read_image(tmp_path / "photo.jpg")


@pytest.fixture(params=[[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111]])
def jpeg(request: pytest.FixtureRequest) -> bytes:
    """A JPEG of much texture: plain, progressive, or with colours as fine as the light."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(np.uint8)
    found, data = cv2.imencode(".jpg", pixels, request.param)
    assert found
    return bytes(data)


def test_a_jpeg_has_the_same_pixels_whoever_decodes_it(tmp_path: Path, jpeg: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg)
    gray = encode(cv2.imread(str(tmp_path / "a.jpg"), cv2.IMREAD_GRAYSCALE), ".jpg")
    turned = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + bytes(4)
    segment = b"\xff\xe1" + (len(turned) + 2).to_bytes(2, "big") + turned
    for content in (jpeg, gray, jpeg[:2] + segment + jpeg[2:]):
        (tmp_path / "a.jpg").write_bytes(content)
        assert np.array_equal(read_image(tmp_path / "a.jpg"), cv2.imread(str(tmp_path / "a.jpg")))
    assert read_image(tmp_path / "a.jpg").shape == (90, 60, 3)


def test_a_jpeg_damaged_in_its_middle_is_refused(tmp_path: Path, jpeg: bytes) -> None:
    pytest.importorskip("simplejpeg")
    data = bytearray(jpeg)
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(range(1, 41))
    data[len(data) // 2 + 40 : len(data) // 2 + 42] = b"\xff\xd3"
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(DataError, match=r"a\.jpg: damaged \(Corrupt JPEG data"):
        read_image(tmp_path / "a.jpg")


def test_bytes_before_a_marker_do_no_harm(tmp_path: Path, jpeg: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg[:-2] + b"\1\2\3" + jpeg[-2:])
    found, want = read_image(tmp_path / "a.jpg"), cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(found, want)


def test_without_simplejpeg_opencv_decodes(tmp_path: Path, jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    (tmp_path / "a.jpg").write_bytes(jpeg)
    assert np.array_equal(read_image(tmp_path / "a.jpg"), cv2.imread(str(tmp_path / "a.jpg")))


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(DataError, match="not a regular file"):
        read_image(tmp_path / "pipe.jpg")
    with pytest.raises(MissingFileError, match="not a regular file"):
        open_source(tmp_path / "pipe.jpg")


def test_a_folder_that_may_not_be_read_is_not_called_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read anywhere
    with pytest.raises(DataError, match="may not be read"):
        list_images(tmp_path)


def test_what_is_not_there_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="absent"):
        read_image(tmp_path / "absent.png")
    with pytest.raises(MissingFileError, match="folder"):
        read_image(tmp_path)


def test_a_cut_picture_leaves_no_chatter_of_libraries(tmp_path: Path, picture: NDArray[np.uint8]) -> None:
    for suffix in CUT:
        (tmp_path / f"cut{suffix}").write_bytes(encode(picture, suffix)[:-30])
    code = (
        "import sys\nfrom edgekit.images import read_image\nfrom edgekit import DataError\n"
        "for path in sys.argv[1:]:\n    try: read_image(path)\n    except DataError: print('refused')\n"
    )
    paths = [str(path) for path in tmp_path.iterdir()]
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["refused"] * len(CUT)
    assert done.stderr == ""


def test_pictures_of_a_folder_are_listed_in_order(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "sub/c.tiff", ".hidden.jpg", ".cache/d.png", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path)] == ["a.jpg", "b.PNG", "sub/c.tiff"]


def test_a_folder_without_pictures_is_told_with_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="it holds no files"):
        list_images(tmp_path)
    for name in ("a.npy", "b.npy", "README"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"2 \.npy, 1 without a suffix") as caught:
        list_images(tmp_path)
    assert ".jpeg" in caught.value.hint
    with pytest.raises(MissingFileError):
        list_images(tmp_path / "absent")


def test_the_extra_is_named_where_opencv_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingDependencyError) as caught:
        import_cv2()
    assert "pip install 'edgekit-sdk[camera]'" in caught.value.hint
