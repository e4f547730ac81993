"""A reader's own image: every way in, every kind of file, every refusal."""

import http.server
import io
import struct
import subprocess
import sys
import threading
import zlib

import numpy as np
import pytest
from PIL import Image

from course_utils import images
from course_utils.images import open_image

RED, BLUE = (255, 0, 0), (0, 0, 255)


def file_of(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def picture():
    """Six rows, four columns: red, but for a blue column at the left."""
    pixels = np.zeros((6, 4, 3), np.uint8)
    pixels[:] = RED
    pixels[:, 0] = BLUE
    return pixels


@pytest.fixture
def png(picture):
    return file_of(Image.fromarray(picture))


# --- Where it comes from --------------------------------------------------------------


@pytest.mark.parametrize(
    "way", ["path", "text", "bytes", "bytearray", "memoryview", "upload"]
)
def test_every_way_in_gives_the_same_pixels(way, png, picture, tmp_path):
    path = tmp_path / "picture with spaces.png"
    path.write_bytes(png)
    source = {
        "path": path,
        "text": str(path),
        "bytes": png,
        "bytearray": bytearray(png),
        "memoryview": memoryview(png),
        "upload": {"my cat.png": png},
    }[way]
    result = open_image(source)
    np.testing.assert_array_equal(result, picture)
    assert result.dtype == np.uint8
    assert result.flags.writeable


class Answers(http.server.BaseHTTPRequestHandler):
    replies: dict = {}  # noqa: RUF012 (filled by each test)

    def do_GET(self):
        status, body, headers = self.replies.get(self.path, (404, b"", {}))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()
    Answers.replies = {}


def test_an_address_is_fetched(server, png, picture):
    Answers.replies = {"/a.png?x=1": (200, png, {"Content-Length": str(len(png))})}
    np.testing.assert_array_equal(open_image(f"{server}/a.png?x=1"), picture)


def test_a_redirection_is_followed(server, png, picture):
    Answers.replies = {
        "/old": (302, b"", {"Location": "/new"}),
        "/new": (200, png, {}),
    }
    np.testing.assert_array_equal(open_image(f"{server}/old"), picture)


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        ((404, b"", {}), ConnectionError, "HTTP 404"),
        ((500, b"", {}), ConnectionError, "HTTP 500"),
        ((200, b"", {}), ValueError, "0 bytes"),
        ((200, b"<!DOCTYPE html><html>", {}), ValueError, "a web page"),
        ((200, b"\x89PNG", {"Content-Length": "999"}), ConnectionError, "4 of 999"),
        ((302, b"", {"Location": "file:///etc/hosts"}), ConnectionError, "302"),
    ],
)
def test_an_address_without_an_image_is_refused(server, reply, error, words):
    Answers.replies = {"/a.png": reply}
    with pytest.raises(error, match=words) as caught:
        open_image(f"{server}/a.png")
    assert "`source`: expected" in str(caught.value)


def test_a_server_that_is_not_there_is_named():
    with pytest.raises(ConnectionError, match=r"got none from http://127\.0\.0\.1:9/"):
        open_image("http://127.0.0.1:9/a.png")


def test_an_answer_that_is_too_large_is_not_read_to_its_end(server, monkeypatch):
    monkeypatch.setattr(images, "MOST_BYTES", 1_000_000)
    Answers.replies = {"/a.png": (200, bytes(1_500_000), {})}
    with pytest.raises(ValueError, match="a file of at most 1 MB"):
        open_image(f"{server}/a.png")


@pytest.mark.parametrize(
    "address",
    ["ftp://host/a.png", "file:///etc/hosts", "data:image/png;base64,AAAA", "s3://a/b"],
)
def test_other_addresses_are_refused(address):
    with pytest.raises(ValueError, match="begins with http:// or https://"):
        open_image(address)


@pytest.mark.parametrize("address", ["http://", "http://[::1", "http://host:port/a"])
def test_a_malformed_address_is_refused(address):
    with pytest.raises((ValueError, ConnectionError), match="`source`: expected an"):
        open_image(address)


@pytest.mark.parametrize(
    "source", [None, 3, 2.5, ["a.png"], object(), np.zeros((4, 4, 3)), True]
)
def test_a_source_of_another_type_is_refused(source):
    with pytest.raises(TypeError, match="`source`: expected a path, an http"):
        open_image(source)


@pytest.mark.parametrize("source", ["", "   ", "a\0b"])
def test_a_text_that_is_no_path_is_refused(source):
    with pytest.raises(ValueError, match="`source`: expected a path"):
        open_image(source)


@pytest.mark.parametrize("source", ["no such file.png", "x" * 5000])
def test_a_path_without_a_file_is_refused(source):
    with pytest.raises(FileNotFoundError, match="which does not exist") as caught:
        open_image(source)
    assert len(str(caught.value)) < 400


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected the path of a file, got the folder"):
        open_image(tmp_path)


def test_a_file_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MOST_BYTES", 10)
    path = tmp_path / "a.png"
    path.write_bytes(bytes(11))
    for source in (path, bytes(11)):
        with pytest.raises(ValueError, match="a file of at most"):
            open_image(source)


@pytest.mark.parametrize("upload", [{}, {"a.png": b"1", "b.png": b"2"}])
def test_an_upload_is_one_file(upload):
    with pytest.raises(ValueError, match="a dict with one uploaded file"):
        open_image(upload)


def test_an_upload_holds_bytes():
    with pytest.raises(TypeError, match=r"the bytes of 'a.png'"):
        open_image({"a.png": "a.png"})


# --- What is in it --------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_rotation_is_applied(kind, orientation):
    upright = np.zeros((48, 32, 3), np.uint8)  # red above left, blue below right
    upright[:24, :16], upright[24:, 16:] = RED, BLUE
    undo = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(undo[orientation]))
    options = {"lossless": True} if kind == "WEBP" else {}
    if kind == "JPEG":
        options = {"quality": 95, "subsampling": 0}
    result = open_image(file_of(stored, kind, exif=exif, **options))
    assert result.shape == upright.shape
    assert np.abs(result.astype(int) - upright).max() <= (12 if kind == "JPEG" else 0)


def test_broken_metadata_does_no_harm(picture):
    data = file_of(Image.fromarray(picture), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\xff")
    assert open_image(data).shape == picture.shape


@pytest.mark.parametrize("alpha", [0, 51, 128, 255])
def test_transparency_is_laid_on_white(alpha):
    image = Image.new("RGBA", (3, 2), (200, 100, 0, alpha))
    part = alpha / 255
    wanted = part * np.array([200, 100, 0]) + (1 - part) * 255
    result = open_image(file_of(image))
    assert np.abs(result.astype(float) - wanted).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_a_transparent_palette_is_laid_on_white(kind):
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 4, 8))
    stored = image if kind == "WEBP" else image.convert("P")
    options = {"lossless": True} if kind == "WEBP" else {}
    if kind == "PNG":
        stored = image.quantize(4)
    result = open_image(file_of(stored if kind != "GIF" else image, kind, **options))
    assert (result[:, 0] == 255).all()
    np.testing.assert_array_equal(result[:, 7], np.tile(RED, (8, 1)))


@pytest.mark.parametrize(("mode", "color"), [("RGB", RED), ("L", 90)])
def test_one_transparent_color_is_laid_on_white(mode, color):
    image = Image.new(mode, (4, 4), color)
    result = open_image(file_of(image, transparency=color))
    assert (result == 255).all()


def test_gray_with_transparency_is_laid_on_white():
    image = Image.new("LA", (4, 4), (0, 128))
    assert np.abs(open_image(file_of(image)).astype(int) - 127).max() <= 1


@pytest.mark.parametrize(
    ("mode", "color", "wanted", "kind"),
    [
        ("L", 77, (77, 77, 77), "PNG"),
        ("1", 1, (255, 255, 255), "PNG"),
        ("P", None, RED, "PNG"),
        ("CMYK", (0, 255, 255, 0), RED, "TIFF"),
        ("CMYK", (0, 255, 255, 0), RED, "JPEG"),
        ("YCbCr", (76, 85, 255), RED, "JPEG"),
        ("RGB", RED, RED, "BMP"),
        ("RGB", RED, RED, "PPM"),
        ("RGB", RED, RED, "WEBP"),
    ],
)
def test_every_mode_becomes_rgb(mode, color, wanted, kind):
    if mode == "P":
        image = Image.new("RGB", (5, 5), RED).quantize(2)
    else:
        image = Image.new(mode, (5, 5), color)
    options = {"lossless": True} if kind == "WEBP" else {}
    result = open_image(file_of(image, kind, **options))
    assert result.shape == (5, 5, 3)
    assert np.abs(result.astype(int) - wanted).max() <= 3


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_become_eight(kind):
    levels = np.array([[0, 257 * 100, 65_535]], np.uint16)
    result = open_image(file_of(Image.fromarray(levels), kind))
    np.testing.assert_array_equal(result[0, :, 0], [0, 100, 255])
    assert (result == result[..., :1]).all()


def test_floating_point_pixels_are_refused():
    data = file_of(Image.new("F", (3, 3), 0.5), "TIFF")
    with pytest.raises(ValueError, match="8 or 16 bits each, got one of Pillow's mode"):
        open_image(data)


def test_large_whole_numbers_are_refused():
    data = file_of(Image.new("I", (3, 3), 1_000_000), "TIFF")
    with pytest.raises(ValueError, match="mode 'I'"):
        open_image(data)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_gives_its_first_frame(kind):
    frames = [Image.new("RGB", (6, 6), color) for color in (RED, BLUE)]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = file_of(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (open_image(data) == RED).all()


# --- Its size -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "shape"), [(8, (8, 8)), ((3, 5), (3, 5)), ([7, 2], (7, 2)), (None, (6, 4))]
)
def test_the_size_is_height_and_width(png, size, shape):
    assert open_image(png, size=size).shape == (*shape, 3)


def test_shrinking_averages_and_does_not_pick():
    """A board of black and white pixels becomes gray, not a moiré."""
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    result = open_image(file_of(Image.fromarray(board)), size=8)
    assert np.abs(result.astype(int) - 127).max() <= 2


def test_the_sizes_agree_with_those_of_the_data_sets():
    from course_utils import _archives

    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    wanted = _archives.resize(noise[None], 16)[0]
    result = open_image(file_of(Image.fromarray(noise)), size=16)
    np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize("size", [0, -1, 5000, (3,), (3, 4, 5), (0, 3)])
def test_a_size_out_of_range_is_refused(png, size):
    with pytest.raises(ValueError, match="`size`: expected"):
        open_image(png, size=size)


@pytest.mark.parametrize("size", [2.5, "64", True, (3, None)])
def test_a_size_of_another_type_is_refused(png, size):
    with pytest.raises(TypeError, match="`size`: expected"):
        open_image(png, size=size)


# --- What is refused ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "nothing: the bytes, of 0 bytes"),
        (b"\n <!-- x --> <!DOCTYPE html><html></html>", "a web page (HTML)"),
        (b"<HTML><head>", "a web page (HTML)"),
        (b'<?xml version="1.0"?><svg xmlns="">', "an SVG drawing"),
        (b'{"error": "not found"}', "a text file"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC photograph"),
        (b"PK\x03\x04 and more", "a ZIP archive"),
        (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS"),
        (b"cat.jpg", "text that begins with 'cat.jpg'"),
        (bytes(range(1, 200)), "199 bytes of another kind"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "text that begins with"),
    ],
)
def test_what_is_no_image_is_refused_by_name(data, words):
    with pytest.raises(ValueError, match="`source`: expected an image file") as caught:
        open_image(data)
    assert words in str(caught.value)


def test_a_wrong_ending_does_not_matter(png, tmp_path):
    path = tmp_path / "picture.jpg"
    path.write_bytes(png)
    assert open_image(path).shape == (6, 4, 3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_truncated_file_is_refused(kind, part):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = file_of(Image.fromarray(noise), kind)
    with pytest.raises(ValueError, match="`source`: expected"):
        open_image(data[: int(part * len(data))])


def test_a_damaged_file_is_refused(png):
    broken = bytearray(file_of(Image.new("RGB", (64, 64), RED)))
    broken[len(broken) // 2] ^= 0xFF
    with pytest.raises(ValueError, match="a whole image file, got a damaged one"):
        open_image(bytes(broken))


def bomb(side):
    """A PNG that says it is huge, in a few bytes."""

    def chunk(name, body):
        check = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [10_001, 12_000, 60_000])
def test_a_decompression_bomb_is_refused_before_it_is_unpacked(side):
    with pytest.raises(ValueError, match="at most 100 million pixels, got"):
        open_image(bomb(side), size=8)


def test_no_refusal_leaves_a_warning(recwarn):
    for data in (bomb(12_000), b"", b"<html>"):
        with pytest.raises(ValueError, match="`source`"):
            open_image(data)
    assert not recwarn.list


def test_importing_loads_neither_pillow_nor_a_framework():
    code = (
        "import sys; from course_utils import images; "
        "print([n for n in ('PIL', 'keras', 'tensorflow') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
