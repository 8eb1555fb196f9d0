"""Every odd file is decoded correctly, or refused with a word on what it is."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.data.images import UndecodableImage, decode, fit, image_files, load
from zoo.errors import UsageError

HEIGHT, WIDTH = 40, 60


def picture() -> np.ndarray:
    """Smooth RGB, so that lossy formats come close: red grows to the right, green downwards."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([x * 255 // WIDTH, y * 255 // HEIGHT, np.full_like(x, 60)], axis=2).astype(np.uint8)


def encoded(suffix: str, pixels: np.ndarray | None = None, *options: int) -> bytes:
    """RGB, RGBA or grey pixels as a file's content."""
    pixels = picture() if pixels is None else pixels
    if pixels.ndim == 3:
        pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    return cv2.imencode(suffix, pixels, options)[1].tobytes()


def with_exif(jpeg: bytes, orientation: int) -> bytes:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x112, 3, 1, orientation, 0) + b"\0" * 4
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def close(one: np.ndarray, other: np.ndarray) -> bool:
    # a GIF has few colours
    return one.shape == other.shape and float(np.abs(one.astype(int) - other).mean()) < 30


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tiff", ".gif", ".avif", ".ppm"])
def test_each_format_decodes_to_rgb(suffix: str) -> None:
    decoded = decode(encoded(suffix))
    assert decoded.dtype == np.uint8
    assert close(decoded, picture())


def test_progressive_jpeg_decodes() -> None:
    assert close(decode(encoded(".jpg", None, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)), picture())


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tiff"])
def test_grey_stays_one_channel(suffix: str) -> None:
    assert close(decode(encoded(suffix, picture()[..., 0])), picture()[..., :1])


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tiff"])
def test_transparency_is_composited_on_white(suffix: str) -> None:
    alpha = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    alpha[:, : WIDTH // 2] = 0
    decoded = decode(encoded(suffix, np.concatenate([picture(), alpha], axis=2), *_lossless(suffix)))
    assert (decoded[:, : WIDTH // 2] == 255).all()
    assert close(decoded[:, WIDTH // 2 :], picture()[:, WIDTH // 2 :])


def test_half_transparency_is_blended() -> None:
    pixels = np.dstack([np.zeros((4, 4, 3), np.uint8), np.full((4, 4), 128, np.uint8)])
    assert (decode(encoded(".png", pixels)) == 127).all()


def _lossless(suffix: str) -> tuple[int, ...]:
    return (cv2.IMWRITE_WEBP_QUALITY, 101) if suffix == ".webp" else ()


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bits_are_scaled_to_eight(suffix: str) -> None:
    deep = picture().astype(np.uint16) * 257
    np.testing.assert_array_equal(decode(encoded(suffix, deep)), picture())


def test_every_sixteen_bit_value_is_rounded() -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(decode(encoded(".png", values))[..., 0], (values.astype(np.uint32) + 128) // 257)


def test_a_cmyk_jpeg_decodes() -> None:
    content = io.BytesIO()
    PIL.Image.fromarray(picture()).convert("CMYK").save(content, "JPEG", quality=95)
    assert b"Adobe" in content.getvalue()  # inverted, as Photoshop has it
    assert close(decode(content.getvalue()), picture())
    theirs = np.asarray(PIL.Image.open(content).convert("RGB"))
    assert np.abs(decode(content.getvalue()).astype(int) - theirs).max() <= 4


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tiff", ".gif", ".ppm"])
def test_a_single_pixel_decodes(suffix: str) -> None:
    pixel = np.full((1, 1, 3), 77, np.uint8)
    assert decode(encoded(suffix, pixel)).shape == (1, 1, 3)
    assert load(encoded(suffix, pixel), 8, 8, 3, "crop", "area").shape == (8, 8, 3)


def test_floating_point_pixels_are_refused() -> None:
    with pytest.raises(UndecodableImage, match="float32"):
        decode(encoded(".tiff", picture().astype(np.float32)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(orientation: int) -> None:
    # what a camera stores so that a viewer, applying the orientation, shows the picture
    stored = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: np.rot90(p),
        7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
        8: lambda p: np.rot90(p, -1),
    }[orientation](picture())
    jpeg = with_exif(encoded(".jpg", np.ascontiguousarray(stored)), orientation)
    assert close(decode(jpeg), picture())


def test_exif_agrees_with_opencv() -> None:
    for orientation in range(1, 9):
        jpeg = with_exif(encoded(".jpg"), orientation)
        theirs = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
        np.testing.assert_array_equal(decode(jpeg), theirs)


def test_an_animation_gives_its_first_frame() -> None:
    animation = cv2.Animation()
    animation.frames = [picture()[..., ::-1].copy(), np.zeros_like(picture())]
    animation.durations = np.array([100, 100])
    for suffix in (".gif", ".webp"):
        content = cv2.imencodeanimation(suffix, animation)[1].tobytes()
        assert close(decode(content), picture()), suffix


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\0" * 100, "zero bytes"),
        (b"<!DOCTYPE html><html><body>404</body>", "HTML"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"<svg width='9'/>", "SVG"),
        (b"just words\n", "text"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 40, "HEIC"),
        (b'\xa4\xec6\xee\x10h\x10"\x01\x02\x80', "no known image format"),
        (b"\xff\xd8\xff\xe0", "without a size"),
    ],
)
def test_what_is_no_image_is_named(content: bytes, reason: str) -> None:
    with pytest.raises(UndecodableImage, match=reason):
        decode(content)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".gif", ".bmp"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_file_is_refused(suffix: str, share: float) -> None:
    content = encoded(suffix)
    with pytest.raises(UndecodableImage, match="truncated"):
        decode(content[: int(len(content) * share)])


def test_a_jpeg_whose_last_bytes_are_missing_is_refused() -> None:
    with pytest.raises(UndecodableImage, match="truncated JPEG"):
        decode(encoded(".jpg")[:-2])


def test_a_thumbnail_inside_a_truncated_jpeg_is_not_taken_for_its_end() -> None:
    from zoo.data.imageheaders import fault_of

    thumbnail = encoded(".jpg", picture()[:8, :8].copy())
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    jpeg = encoded(".jpg")
    whole = jpeg[:2] + segment + jpeg[2:]
    assert fault_of(whole, "JPEG") == ""
    assert fault_of(whole[:-40], "JPEG") == "truncated"


def test_a_png_is_checked_before_opencv_believes_its_chunks() -> None:
    png = encoded(".png")
    data = png.index(b"IDAT")
    with pytest.raises(UndecodableImage, match="a truncated PNG"):
        decode(patched(png, data - 4, b"\x7f"))
    with pytest.raises(UndecodableImage, match="a damaged PNG"):
        decode(patched(png, data + 20, bytes([png[data + 20] ^ 1])))


def giant_png() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")
    )


def patched(content: bytes, at: int, value: bytes) -> bytes:
    return content[:at] + value + content[at + len(value) :]


def giants() -> dict[str, bytes]:
    jpeg, size = encoded(".jpg"), struct.pack("<HH", 20_000, 20_000)
    frame = jpeg.index(b"\xff\xc0") + 5
    return {
        "png": giant_png(),
        "jpeg": patched(jpeg, frame, struct.pack(">HH", 20_000, 20_000)),
        "gif": patched(encoded(".gif"), 6, size),
        "bmp": patched(encoded(".bmp"), 18, struct.pack("<ii", 20_000, -20_000)),
        "avif": patched(encoded(".avif"), encoded(".avif").index(b"ispe") + 8, struct.pack(">II", 20_000, 20_000)),
        "ppm": b"P6\n# a comment\n20000 20000\n255\n\0\0\0",
    }


@pytest.mark.parametrize("name", ["png", "jpeg", "gif", "bmp", "avif", "ppm"])
def test_a_giant_size_in_a_tiny_file_is_refused_before_decoding(name: str) -> None:
    with pytest.raises(UndecodableImage, match="declares 20000 x 20000 pixels; the limit is 100 megapixels"):
        decode(giants()[name])


def test_large_images_are_decoded_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    content, inside, most = encoded(".png", np.zeros((5_100, 5_000), np.uint8)), [], []
    decoder = cv2.imdecodeWithMetadata

    def counted(*arguments: object, **options: object) -> object:
        inside.append(1)
        most.append(len(inside))
        try:
            return decoder(*arguments, **options)
        finally:
            inside.pop()

    monkeypatch.setattr(cv2, "imdecodeWithMetadata", counted)
    with ThreadPoolExecutor(4) as pool:
        shapes = list(pool.map(lambda _: decode(content).shape, range(4)))
    assert shapes == [(5_100, 5_000, 1)] * 4
    assert max(most) == 1


def test_paths_that_are_no_files_are_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    for name, reason in {
        "folder.jpg": "a folder",
        "dangling.jpg": "a link to a file that is missing",
        "loop.jpg": "unreadable",
        "pipe.jpg": "not a regular file",
        "gone.jpg": "no such file",
        "zero\0.jpg": "unreadable",
    }.items():
        with pytest.raises(UndecodableImage, match=reason):
            decode(tmp_path / name)


def test_a_file_without_permission_is_refused_with_the_reason(unprivileged: Path) -> None:
    path = unprivileged / "secret.jpg"
    path.write_bytes(encoded(".jpg"))
    path.chmod(0)
    with pytest.raises(UndecodableImage, match="unreadable: Permission denied"):
        decode(path)


def test_want_of_memory_is_no_fault_of_the_image(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    (tmp_path / "large.png").write_bytes(encoded(".png", np.zeros((4000, 4000, 3), np.uint8)))
    program = (
        "import resource, sys; from zoo.data.images import decode\n"
        "content = open(sys.argv[1], 'rb').read()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1, 1))\n"
        "try: decode(content)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    command = [sys.executable, "-c", program, tmp_path / "large.png"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith("ZooError There is too little memory to decode images")


def test_odd_names_are_read(tmp_path: Path) -> None:
    for name in (b"new\nline.jpg", b"\xff\xfe.jpg", "Kätzchen.jpg".encode()):
        path = tmp_path / os.fsdecode(name)
        path.write_bytes(encoded(".jpg"))
        assert decode(path).shape == (HEIGHT, WIDTH, 3)


def test_a_wrong_suffix_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "really_a_png.jpg"
    path.write_bytes(encoded(".png"))
    np.testing.assert_array_equal(decode(path), picture())


def test_arrays_are_checked() -> None:
    assert decode(np.zeros((5, 4), np.uint8)).shape == (5, 4, 1)
    for wrong in (np.zeros((5, 4)), np.zeros((5, 4, 4), np.uint8), np.zeros((0, 4), np.uint8)):
        with pytest.raises(UndecodableImage, match="Received"):
            decode(wrong)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([".jpg", ".png", ".webp", ".gif", ".bmp", ".tiff", ".avif", ".ppm"]), st.data())
def test_mutated_files_decode_or_are_refused(suffix: str, data: st.DataObject) -> None:
    content = bytearray(encoded(suffix))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UndecodableImage):
        cut = bytes(content[: data.draw(st.integers(0, len(content)))])
        assert load(cut, 8, 8, 3, "crop", "area").shape == (8, 8, 3)


def test_the_decoders_chatter_stays_off_the_terminal() -> None:
    program = """
import cv2, numpy as np, sys
from zoo.data.images import decode, quiet_decoders
jpeg = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8))[1].tobytes()
odd = jpeg[:-300] + jpeg[-2:]
with quiet_decoders():
    decode(odd)
    print("progress", file=sys.stderr)
print("between", file=sys.stderr, flush=True)
decode(odd)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    quiet, _, loud = done.stderr.partition("between\n")
    assert quiet == "progress\n"
    assert "Corrupt JPEG data" in loud  # or this test shows nothing


# fitting --------------------------------------------------------------------------------------------------


def test_linear_stretching_is_what_the_chapter_did() -> None:
    chapter = cv2.resize(picture()[..., ::-1], (50, 50))[..., ::-1]
    np.testing.assert_array_equal(fit(picture(), 50, 50, 3, "stretch", "linear"), chapter)


def test_area_shrinks_without_aliasing() -> None:
    stripes = np.zeros((64, 64, 1), np.uint8)
    stripes[:, ::2] = 255
    shrunk = fit(stripes, 16, 16, 1, "stretch", "area")
    assert shrunk.min() == shrunk.max() == 128


def test_area_shrinks_one_direction_and_enlarges_the_other() -> None:
    stripes = np.zeros((4, 64, 1), np.uint8)
    stripes[:, ::2] = 255
    assert set(np.unique(fit(stripes, 16, 16, 1, "stretch", "area"))) == {128}


def test_an_image_of_the_right_size_is_untouched() -> None:
    np.testing.assert_array_equal(fit(picture(), HEIGHT, WIDTH, 3, "stretch", "area"), picture())


def test_crop_keeps_the_centre_and_the_proportions() -> None:
    wide = np.zeros((20, 60, 1), np.uint8)
    wide[:, 20:40] = 200
    assert (fit(wide, 10, 10, 1, "crop", "area") == 200).all()
    assert (fit(wide.transpose(1, 0, 2).copy(), 10, 10, 1, "crop", "area") == 200).all()


def test_channels_are_adapted() -> None:
    grey = fit(picture(), 10, 10, 1, "stretch", "area")
    assert grey.shape == (10, 10, 1)
    colour = fit(grey, 10, 10, 3, "stretch", "area")
    assert (colour == grey).all()
    assert colour.shape == (10, 10, 3)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 1), (500, 1, 3), (2, 3, 1)])
@pytest.mark.parametrize("resize", ["stretch", "crop"])
@pytest.mark.parametrize("interpolation", ["area", "linear"])
def test_any_shape_fits(shape: tuple[int, int, int], resize: str, interpolation: str) -> None:
    fitted = fit(np.full(shape, 77, np.uint8), 32, 24, 3, resize, interpolation)
    assert fitted.shape == (32, 24, 3)
    assert set(np.unique(fitted)) == {77}


# files ----------------------------------------------------------------------------------------------------


def test_image_files_expands_folders_and_keeps_named_files(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt", "deep/er/c.webp", ".thumbnails/a.png", "deep/.c.webp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "deep" / "back").symlink_to(tmp_path)
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    found = image_files([tmp_path / "notes.txt", tmp_path, tmp_path / "gone.jpg"])
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "notes.txt",
        "a.png",
        "b.JPG",
        "deep/er/c.webp",
        "link.png",
        "gone.jpg",
    ]


def test_a_folder_named_like_an_image_is_left_to_decoding(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").mkdir()
    assert image_files([tmp_path / "x.jpg", tmp_path / "y.jpg"]) == [tmp_path / "x.jpg", tmp_path / "y.jpg"]


def test_a_folder_without_images_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no image in the folder"):
        image_files([tmp_path])
