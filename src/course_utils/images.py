"""A reader's own image, from wherever it comes, as an array for a network.

`open_image` takes a path, an address, the bytes of a file or what an upload in Colab
returns. What photographs bring along (rotation in their metadata, transparency,
palettes, gray, print colors, 16 bits) is turned into plain RGB; what is no image is
refused with a message that says what came. Importing this module loads neither a
framework nor Pillow.
"""

from __future__ import annotations

import io
import os
import re
import urllib.error
import urllib.request
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from course_utils import _validate

__all__ = ["open_image"]

MOST_BYTES = 64_000_000
"""The largest file that is read."""

MOST_PIXELS = 100_000_000
"""The largest image that is decoded: a small file can hold a huge one."""

LARGEST_SIDE = 4096
"""The largest height or width that `size` may ask for."""

_SECONDS = 15.0  # without an answer from a server
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF", "ICO")
_WHITE = (255, 255, 255, 255)
_AN_IMAGE = "an image file (PNG, JPEG, GIF, WebP, BMP or TIFF)"
_SOURCES = (
    "a path, an http(s) address, the bytes of an image file, or a dict with one upload"
)

# How a file begins that is often taken for an image, and what to say about it.
_OTHERS: tuple[tuple[str, str], ...] = (
    (
        r"\s*(<!--.*?-->\s*)*<(!doctype html|html|head|body|script)",
        "a web page (HTML); open the image alone in the browser and copy its address",
    ),
    (r"\s*(<\?xml.*?>\s*)?(<!.*?>\s*)*<svg", "an SVG drawing, which has no pixels"),
    (r"\s*(<\?xml|[{\[]\s*[\"{\[])", "a text file"),
    (r"%PDF", "a PDF document"),
    (
        r".{4}ftyp(heic|heix|hevc|mif1|msf1)",
        "a HEIC photograph; save it as JPEG first",
    ),
    (r"version https://git-lfs", "a pointer of Git LFS; fetch the file itself"),
    (r"PK\x03\x04", "a ZIP archive"),
)


def open_image(
    source: str | os.PathLike[str] | bytes | Mapping[str, bytes],
    *,
    size: int | Sequence[int] | None = None,
) -> np.ndarray:
    """Read one image, from wherever it is, as RGB bytes.

    The image is turned as its EXIF rotation says; transparent parts become white;
    palettes, gray, CMYK and 16 bits become RGB of 8 bits; of an animation the first
    frame is taken. Color profiles are ignored. Nothing else is done to it: what a
    network wants (a scale, a mean) is for its own preprocessing. Taught in lesson 07.

    Args:
        source: a path; an address that begins with http:// or https://; the bytes of an
            image file; or a dict of one name and its bytes, as `files.upload()` returns
            in Colab.
        size: height and width in pixels, or one number for both; the whole image is
            resized to it, bilinearly with antialiasing, and squeezed where its sides
            have another ratio. None keeps the size.

    Returns:
        uint8 array of shape (height, width, 3), values from 0 to 255.

    Raises:
        TypeError: a source or a size of the wrong type.
        ValueError: no image, an empty or damaged one, one of more than 100 million
            pixels or 64 MB, an address that is not http(s), or a size out of range.
        FileNotFoundError: no file has that path.
        ConnectionError: the address does not answer with a file.

    Example:
        >>> image = open_image("cat.jpg", size=64)
        >>> image.shape, image.dtype
        ((64, 64, 3), dtype('uint8'))
    """
    shape = _wanted_size(size)
    data, name = _bytes_of(source)
    image = _decoded(data, name)
    if shape is not None:
        from PIL import Image

        # Pillow averages over all the pixels that fall into a new one.
        image = image.resize(shape[::-1], Image.Resampling.BILINEAR)
    return np.array(image, dtype=np.uint8)


def _wanted_size(size: Any) -> tuple[int, int] | None:
    """Return (height, width), or None to keep the image's own."""
    if size is None:
        return None
    if isinstance(size, Sequence) and not isinstance(size, (str, bytes)):
        if len(size) != 2:
            _validate.fail("size", "one number, or (height, width)", size)
        height, width = (_validate.integer("size", n, 1, LARGEST_SIDE) for n in size)
        return height, width
    return (_validate.integer("size", size, 1, LARGEST_SIDE),) * 2


# ------------------------------------------------------------------ where it comes from


def _bytes_of(source: Any) -> tuple[bytes, str]:
    """Return a source's bytes, and words for it in messages."""
    if isinstance(source, Mapping):
        if len(source) != 1:
            _validate.fail_with_words(
                "source", "a dict with one uploaded file", f"{len(source)} of them"
            )
        ((name, source),) = source.items()
        if not isinstance(source, (bytes, bytearray, memoryview)):
            _validate.fail_type("source", f"the bytes of {name!r}", source)
        return _not_empty(bytes(source), repr(name)), repr(name)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _not_empty(bytes(source), "the bytes"), "the bytes"
    if isinstance(source, str) and re.match(r"[A-Za-z][\w+.-]+://|data:", source):
        if re.match(r"https?://", source, re.IGNORECASE):
            return _not_empty(_download(source), source), source
        _validate.fail(
            "source", "an address that begins with http:// or https://", source
        )
    if isinstance(source, (str, os.PathLike)):
        return _file(source)
    return _validate.fail_type("source", _SOURCES, source)


def _file(source: Any) -> tuple[bytes, str]:
    path = os.fspath(source)
    if isinstance(path, bytes) or not path.strip() or "\0" in path:
        _validate.fail("source", _SOURCES, source)
    found = Path(path).expanduser()
    try:
        exists = found.exists()
    except OSError:  # a text too long for a path
        exists = False
    if not exists:
        path = path if len(path) < 200 else path[:199] + "…"
        raise FileNotFoundError(
            f"`source`: expected the path of a file, got {path!r}, which does not "
            "exist (a relative path starts at the notebook's folder)."
        )
    if not found.is_file():
        _validate.fail_with_words(
            "source", "the path of a file", f"the folder {path!r}"
        )
    if found.stat().st_size > MOST_BYTES:
        _too_large(repr(path))
    return _not_empty(found.read_bytes(), repr(path)), repr(path)


def _download(address: str) -> bytes:
    """Fetch an address, in few seconds and with a bound on its size."""
    wanted = "`source`: expected an address that answers with an image"
    try:
        # Some servers refuse a client that gives no name.
        request = urllib.request.Request(
            address, headers={"User-Agent": "course_utils"}
        )
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            data = answer.read(MOST_BYTES + 1)
            promised = answer.headers.get("Content-Length", "")
    except urllib.error.HTTPError as error:
        raise ConnectionError(
            f"{wanted}, got HTTP {error.code} ({error.reason}) from {address}."
        ) from error
    except ValueError as error:  # also http.client.InvalidURL
        raise ValueError(f"{wanted}, got {address!r}: {error}.") from error
    except Exception as error:
        reason = getattr(error, "reason", None) or error
        words = str(reason) or type(reason).__name__
        raise ConnectionError(f"{wanted}, got none from {address}: {words}.") from error
    if len(data) > MOST_BYTES:
        _too_large(address)
    if promised.isdigit() and len(data) < int(promised):
        raise ConnectionError(
            f"{wanted}, got {len(data):,} of {promised} bytes from {address}."
        )
    return data


def _not_empty(data: bytes, name: str) -> bytes:
    if not data:
        _validate.fail_with_words("source", _AN_IMAGE, f"nothing: {name}, of 0 bytes")
    if len(data) > MOST_BYTES:
        _too_large(name)
    return data


def _too_large(name: str) -> None:
    limit = f"{MOST_BYTES // 1_000_000} MB"
    _validate.fail_with_words("source", f"a file of at most {limit}", f"more: {name}")


# ----------------------------------------------------------------------- what is in it


def _decoded(data: bytes, name: str) -> Any:
    """Return an RGB image of Pillow, upright and without transparency."""
    from PIL import Image, UnidentifiedImageError

    Image.init()
    formats = [kind for kind in _FORMATS if kind in Image.OPEN]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large images and odd metadata
        try:
            image = Image.open(io.BytesIO(data), formats=formats)
            _check_pixels(image.size, name)
            image.load()
        except UnidentifiedImageError:
            _validate.fail_with_words("source", _AN_IMAGE, f"{_kind(data)} ({name})")
        except Image.DecompressionBombError:
            _check_pixels(None, name)
        except ImageTooLarge:
            raise
        except MemoryError:
            raise
        except Exception as error:  # each decoder has errors of its own
            words = str(error) or type(error).__name__
            _validate.fail_with_words(
                "source", "a whole image file", f"a damaged one: {name}: {words}"
            )
        return _as_rgb(_upright(image), name)


class ImageTooLarge(ValueError):
    """An image with more pixels than `MOST_PIXELS`: Pillow could read it."""


def _check_pixels(size: tuple[int, int] | None, name: str) -> None:
    if size is None or size[0] * size[1] > MOST_PIXELS:
        came = "more" if size is None else f"{size[0]:,} × {size[1]:,}"
        raise ImageTooLarge(
            f"`source`: expected an image of at most {MOST_PIXELS // 10**6} million "
            f"pixels, got {came}: {name}."
        )


def _kind(data: bytes) -> str:
    """Return words for bytes that are no image."""
    start = data[:2000].decode("latin-1")
    for pattern, words in _OTHERS:
        if re.match(pattern, start, re.IGNORECASE | re.DOTALL):
            return words
    head = data[:64]
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head):
        return f"text that begins with {head[:24].decode()!r}"
    return f"{len(data):,} bytes of another kind"


def _upright(image: Any) -> Any:
    """Turn an image as the camera was held, where its metadata says so."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # metadata is often broken; the pixels are fine
        return image


def _as_rgb(image: Any, name: str) -> Any:
    """Turn any mode of Pillow into RGB."""
    from PIL import Image

    if image.mode == "I" or image.mode.startswith("I;16"):
        levels = np.asarray(image).astype(np.int64)
        if levels.min() < 0 or levels.max() > 65_535:
            _wrong_mode(image.mode, name)
        image = Image.fromarray((levels / 257 + 0.5).astype(np.uint8))
    elif image.mode == "F":
        _wrong_mode(image.mode, name)
    elif image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or (
        "transparency" in image.info
    ):
        if image.mode == "La":
            image = image.convert("LA")
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, _WHITE)
        image = Image.alpha_composite(white, image)
    try:
        return image.convert("RGB")
    except ValueError:
        _wrong_mode(image.mode, name)


def _wrong_mode(mode: str, name: str) -> None:
    _validate.fail_with_words(
        "source",
        "an image of gray, RGB, CMYK or palette colors, 8 or 16 bits each",
        f"one of Pillow's mode {mode!r}: {name}",
    )
