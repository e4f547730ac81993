"""Reading data files without trusting them: image folders in a zip, npz and IDX.

Nothing is ever unpacked to disk. Every file is checked before use: its members' names,
number and sizes, the arrays' types and shapes, and each image as it is decoded.
"""

from __future__ import annotations

import gzip
import io
import math
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

SPLITS = ("train", "validation", "test")

MOST_MEMBERS = 200_000
MOST_BYTES = 4 << 30  # of all members, unpacked
MOST_MEMBER_BYTES = 1 << 30
MOST_IMAGE_BYTES = 32 << 20
MOST_RATIO = 200  # unpacked to packed, once the unpacked size is above FREE_BYTES
FREE_BYTES = 64 << 20

_IMAGES = (".jpg", ".jpeg", ".png")
_LITTER = ("__MACOSX/", ".DS_Store", "Thumbs.db")  # left by file managers
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError)


class DataError(Exception):
    """A data set, or a file it comes from, cannot be used; says what to do."""


@dataclass(frozen=True)
class Layout:
    """What the files of one data set must hold."""

    name: str
    class_names: tuple[str, ...]
    size: int
    channels: int

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return (self.size, self.size, self.channels)


class Reader(Protocol):
    """An open data file: the labels of each split, and its images on demand."""

    labels: dict[str, np.ndarray]
    lossy: bool

    def read(self, split: str, indices: np.ndarray, size: int) -> np.ndarray:
        """Return uint8 images (n, size, size, channels) of these indices."""
        ...

    def close(self) -> None:
        """Close the file."""


class File:
    """A data file's path with the advice that belongs in every error about it."""

    def __init__(self, path: Path, advice: str) -> None:
        self.path = path
        self.advice = advice

    def error(self, what: str) -> DataError:
        """Return the error that says what is wrong with this file."""
        return DataError(f"{self.path}: {what}. {self.advice}")


# ------------------------------------------------------------------------- zip


def open_archive(file: File) -> tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]:
    """Open a zip and return its files, having refused all that is unsafe.

    Raises:
        DataError: it is no readable zip, or a member climbs out of its folder, is a
            link, is encrypted or comes twice, or the archive unpacks to too much.
    """
    try:
        archive = zipfile.ZipFile(file.path)
    except (*_BROKEN, ValueError) as error:
        raise file.error(
            f"not a readable zip archive, it may be cut short ({error})"
        ) from error
    try:
        return archive, _safe_members(file, archive)
    except BaseException:
        archive.close()
        raise


def _safe_members(file: File, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise file.error(
            f"holds {len(members):,} members, at most {MOST_MEMBERS:,} are allowed"
        )
    total = 0
    seen = set()
    for member in members:
        name = member.orig_filename
        parts = name.split("/")
        if name.startswith("/") or "\\" in name or ":" in parts[0] or "\0" in name:
            raise file.error(f"unsafe: the member {name!r} has an absolute path")
        if ".." in parts:
            raise file.error(f"unsafe: the member {name!r} climbs out of its folder")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise file.error(f"unsafe: the member {name!r} is a link")
        if member.flag_bits & 1:
            raise file.error(f"the member {name!r} is encrypted")
        if name in seen:
            raise file.error(f"the member {name!r} comes twice")
        if member.file_size > MOST_MEMBER_BYTES:
            raise file.error(
                f"unsafe: the member {name!r} unpacks to {_bytes(member.file_size)}"
            )
        seen.add(name)
        total += member.file_size
    packed = max(file.path.stat().st_size, 1)
    if total > MOST_BYTES or (total > FREE_BYTES and total > MOST_RATIO * packed):
        raise file.error(
            f"unsafe: {_bytes(packed)} unpack to {_bytes(total)}, a zip bomb"
        )
    return [
        member
        for member in members
        if not member.is_dir()
        and not member.filename.startswith(_LITTER[0])
        and member.filename.rsplit("/", 1)[-1] not in _LITTER
    ]


def read_member(file: File, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return a member's bytes, its checksum verified."""
    try:
        return archive.read(member)
    except (*_BROKEN, RuntimeError) as error:
        raise file.error(
            f"the member {member.filename!r} is damaged ({error})"
        ) from error


class ImageZip:
    """A zip of `train/<class>/*.jpg`, `test/…` and maybe `validation/…`, read in place.

    Raises:
        DataError: the archive is unsafe or holds anything else.
    """

    def __init__(self, file: File, layout: Layout) -> None:
        self.file = file
        self.layout = layout
        self._archive, members = open_archive(file)
        try:
            self._sort(members)
        except BaseException:
            self._archive.close()
            raise

    def _sort(self, members: list[zipfile.ZipInfo]) -> None:
        if not members:
            raise self.file.error("an empty archive")
        skip = 0
        first = members[0].filename.split("/")[0]
        if first not in SPLITS and all(
            member.filename.startswith(first + "/") for member in members
        ):
            skip = 1  # everything lies in one folder
        number = {name: label for label, name in enumerate(self.layout.class_names)}
        found: dict[str, list[tuple[int, str, zipfile.ZipInfo]]] = {}
        for member in members:
            parts = member.filename.split("/")[skip:]
            if (
                len(parts) != 3
                or parts[0] not in SPLITS
                or parts[1] not in number
                or not parts[2].lower().endswith(_IMAGES)
            ):
                raise self.file.error(
                    f"wrong contents for {self.layout.name}: the member "
                    f"{member.filename!r} is not <split>/<class>/<image>.jpg or .png "
                    f"with a split of {', '.join(SPLITS)} and a class of "
                    f"{', '.join(self.layout.class_names)}"
                )
            if member.file_size > MOST_IMAGE_BYTES:
                raise self.file.error(
                    f"unsafe: the image {member.filename!r} has "
                    f"{_bytes(member.file_size)}"
                )
            row = (number[parts[1]], parts[2], member)
            found.setdefault(parts[0], []).append(row)
        self._members = {}
        self.labels = {}
        for split, rows in found.items():
            rows.sort(key=lambda row: row[:2])
            self._members[split] = [row[2] for row in rows]
            self.labels[split] = np.array([row[0] for row in rows], np.int32)
        self.lossy = any(
            not rows[0].filename.lower().endswith(".png")
            for rows in self._members.values()
        )
        check_labels(self.file, self.labels, self.layout)

    def read(self, split: str, indices: np.ndarray, size: int) -> np.ndarray:
        """Return uint8 images (n, size, size, channels), decoding only these."""
        shape = (len(indices), size, size, self.layout.channels)
        images = np.empty(shape, np.uint8)
        for row, index in enumerate(indices):
            member = self._members[split][index]
            data = read_member(self.file, self._archive, member)
            try:
                images[row] = decode(data, self.layout, size)
            except ValueError as error:
                raise self.file.error(
                    f"the image {member.filename!r} {error}"
                ) from error
        return images

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()


def decode(data: bytes, layout: Layout, size: int) -> np.ndarray:
    """Return one JPEG or PNG as uint8 (size, size, channels).

    Raises:
        ValueError: the image cannot be read, or has another size or mode.
    """
    from PIL import Image

    wanted = "RGB" if layout.channels == 3 else "L"
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            if image.size != (layout.size, layout.size) or image.mode != wanted:
                width, height = image.size
                raise ValueError(
                    f"is {width}×{height} in mode {image.mode}, expected "
                    f"{layout.size}×{layout.size} in mode {wanted}"
                )
            image.load()
            fitted: Image.Image = image
            if size != layout.size:
                fitted = image.resize((size, size), Image.Resampling.BILINEAR)
            return np.asarray(fitted).reshape(size, size, layout.channels)
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"cannot be decoded ({error})") from error


# --------------------------------------------------------------------- arrays


class Arrays:
    """A data file that is arrays in memory."""

    lossy = False

    def __init__(
        self, images: dict[str, np.ndarray], labels: dict[str, np.ndarray]
    ) -> None:
        self.images = images
        self.labels = labels

    def read(self, split: str, indices: np.ndarray, size: int) -> np.ndarray:
        """Return uint8 images (n, size, size, channels)."""
        images = self.images[split][indices]
        if images.ndim == 3:
            images = images[..., None]
        return resize(images, size)

    def close(self) -> None:
        """Do nothing: the file is closed already."""


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """Return uint8 images (n, h, w, c) at (size, size), bilinear with antialiasing."""
    if images.shape[1] == images.shape[2] == size:
        return images
    from PIL import Image

    channels = images.shape[3]
    result = np.empty((len(images), size, size, channels), np.uint8)
    for row, image in enumerate(images):
        picture = Image.fromarray(image[..., 0] if channels == 1 else image)
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
        result[row] = np.asarray(picture).reshape(size, size, channels)
    return result


def read_npz(file: File, layout: Layout) -> Arrays:
    """Read an npz with `x_train`, `y_train`, `x_test`, `y_test` (and `…_validation`).

    Raises:
        DataError: the archive is unsafe or damaged, an array is missing, unknown, of
            another type or shape, or a label is out of range.
    """
    archive, members = open_archive(file)
    known = [f"{axis}_{split}" for split in SPLITS for axis in "xy"]
    with archive:
        by_name = {member.filename.removesuffix(".npy"): member for member in members}
        missing = {"x_train", "y_train", "x_test", "y_test"} - by_name.keys()
        unknown = by_name.keys() - set(known)
        if missing or unknown:
            raise file.error(
                f"wrong contents for {layout.name}: expected the arrays x_train, "
                "y_train, x_test, y_test (and x_validation, y_validation), got "
                + (", ".join(sorted(by_name)) or "none")
            )
        images, labels = {}, {}
        for split in SPLITS:
            if f"x_{split}" not in by_name:
                continue
            if f"y_{split}" not in by_name:
                raise file.error(f"x_{split} has no y_{split} beside it")
            images[split] = _read_array(file, archive, by_name[f"x_{split}"])
            labels[split] = _read_array(file, archive, by_name[f"y_{split}"])
    return checked_arrays(file, images, labels, layout)


def _read_array(
    file: File, archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> np.ndarray:
    """Read one npy member; the size is checked before memory is taken, no pickles."""
    name = member.filename
    try:
        with archive.open(member) as stream:
            version = np.lib.format.read_magic(stream)
            if version == (1, 0):
                header = np.lib.format.read_array_header_1_0(stream)
            else:
                header = np.lib.format.read_array_header_2_0(stream)
            shape, _, dtype = header
            needed = math.prod(shape) * dtype.itemsize + stream.tell()
        if dtype.kind not in "ui":
            raise file.error(f"{name} is of type {dtype}, expected whole numbers")
        if needed != member.file_size:
            raise file.error(
                f"{name} is damaged: its header asks for {_bytes(needed)}, the archive "
                f"holds {_bytes(member.file_size)}"
            )
        with archive.open(member) as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)
    except (*_BROKEN, RuntimeError, ValueError, SyntaxError) as error:
        raise file.error(f"{name} is damaged ({error})") from error


def read_idx(files: dict[str, tuple[File, File]], layout: Layout) -> Arrays:
    """Read IDX files, plain or gzipped: split -> (images, labels).

    Raises:
        DataError: a file is damaged, or is not what its name says.
    """
    images, labels = {}, {}
    for split, (image_file, label_file) in files.items():
        images[split] = _read_one_idx(image_file, 3)
        labels[split] = _read_one_idx(label_file, 1)
    file = files["train"][0]
    return checked_arrays(file, images, labels, layout)


def _read_one_idx(file: File, axes: int) -> np.ndarray:
    try:
        opened = gzip.open if file.path.suffix == ".gz" else open
        with opened(file.path, "rb") as stream:
            data = stream.read(FREE_BYTES + 1)
    except _BROKEN as error:
        raise file.error(f"damaged or cut short ({error})") from error
    head = 4 + 4 * axes
    if len(data) < head or data[:4] != bytes([0, 0, 8, axes]):
        raise file.error(f"not an IDX file of bytes with {axes} axes")
    shape = struct.unpack(f">{axes}I", data[4:head])
    if math.prod(shape) != len(data) - head:
        raise file.error(
            f"damaged: its header says {shape}, but {len(data) - head:,} bytes follow"
        )
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape)


def checked_arrays(
    file: File,
    images: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    layout: Layout,
) -> Arrays:
    """Return arrays as a reader once their types and shapes are what they must be."""
    size, _, channels = layout.image_shape
    shapes = [(size, size, channels)] + ([(size, size)] if channels == 1 else [])
    checked = {}
    for split, x in images.items():
        y = labels[split]
        if x.dtype != np.uint8 or x.ndim not in (3, 4) or x.shape[1:] not in shapes:
            words = "×".join(str(n) for n in layout.image_shape)
            raise file.error(
                f"wrong contents for {layout.name}: the {split} images have shape "
                f"{x.shape} and type {x.dtype}, expected uint8 images of {words}"
            )
        if y.dtype.kind not in "ui" or y.shape not in ((len(x),), (len(x), 1)):
            raise file.error(
                f"wrong contents for {layout.name}: the {split} labels have shape "
                f"{y.shape} and type {y.dtype}, expected {len(x)} whole numbers"
            )
        low, high = (int(y.min()), int(y.max())) if len(y) else (0, 0)
        if low < 0 or high >= len(layout.class_names):
            raise file.error(
                f"wrong contents for {layout.name}: the {split} labels run from "
                f"{low} to {high}, expected 0 to {len(layout.class_names) - 1}"
            )
        checked[split] = y.reshape(-1).astype(np.int32)
    check_labels(file, checked, layout)
    return Arrays(images, checked)


def check_labels(file: File, labels: dict[str, np.ndarray], layout: Layout) -> None:
    """Refuse a file without training or test images of every class."""
    for split in ("train", "test"):
        held = set(np.unique(labels.get(split, ())).tolist())
        empty = [
            name for label, name in enumerate(layout.class_names) if label not in held
        ]
        if empty:
            raise file.error(
                f"wrong contents for {layout.name}: no {split} images of "
                + ", ".join(empty)
            )


def find_idx(folders: Iterable[Path]) -> dict[str, tuple[Path, Path]] | None:
    """Return the four IDX files of the first folder that holds them all."""
    for folder in folders:
        for suffix in ("", ".gz"):
            found = {
                split: (
                    folder / f"{stem}-images-idx3-ubyte{suffix}",
                    folder / f"{stem}-labels-idx1-ubyte{suffix}",
                )
                for split, stem in (("train", "train"), ("test", "t10k"))
            }
            if all(path.is_file() for pair in found.values() for path in pair):
                return found
    return None


def write_image_zip(target: Path, rows: Iterable[tuple[str, bytes]]) -> None:
    """Write an image zip that is the same, byte for byte, at every call."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, data in rows:
            archive.writestr(zipfile.ZipInfo(name), data)


def as_words(numbers: Sequence[int]) -> str:
    """Return a shape as `32×32×3`."""
    return "×".join(str(number) for number in numbers)


def _bytes(number: float) -> str:
    for unit in ("bytes", "KB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
