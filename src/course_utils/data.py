"""The data sets of the course behind one function, `load`.

Where `load` looks, in this order:

1. **cache**: the folder `COURSE_CACHE`, or `modern-convnets` in the platform's folder
   for caches, where earlier downloads lie as `<name>.npz` or `<name>.zip`;
2. **mirror**: the folder `COURSE_DATA` (or several, separated as in `PATH`) with
   `<name>.npz` (arrays `x_train`, `y_train`, `x_test`, `y_test`), `<name>.zip`
   (`train/<class>/*.jpg`, `test/…`, maybe `validation/…`), or, for Fashion-MNIST, the
   four IDX files, there or in a subfolder `fashion-mnist`. A file that `SHA256SUMS`
   lists beside it must match. Mirrors are read in place and may be read-only;
3. **download**: the originals, by `keras.utils.get_file`, with a progress bar and a
   published checksum. (The loaders in `keras.datasets` fetch the same files; they are
   not called themselves because they do not verify Fashion-MNIST, and because they
   write into a folder shared with other programs, where two processes at a time, or a
   killed one, leave half a file.) A host that does not answer within a few seconds
   counts as no network;
4. **stand-in**: rendered `shapes` of the same image size, channels and number of
   classes, under a box that says so.

`COURSE_OFFLINE=1` leaves out step 3; `COURSE_OFFLINE=error` turns step 4 into an error.
`COURSE_MEMORY_GB` is the most memory, in GB, that one request may take (default 2).
A damaged or unsafe file in the cache or in a mirror is an error, never passed over.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import socket
import sys
import tarfile
import tempfile
import threading
import time
import urllib.parse
import urllib.request
import warnings
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import numpy as np

from course_utils import _archives as archives
from course_utils import _validate as validate
from course_utils import shapes
from course_utils._archives import DataError, File, Layout, Reader

__all__ = ["NAMES", "DataError", "DataUnavailable", "Dataset", "load"]

DEFAULT_MEMORY_GB = 2.0
"""The most memory, in GB, that one `load` may ask for unless told otherwise."""

CONNECT_SECONDS = 4.0
"""How long a host may take to answer before it counts as out of reach."""

_STALL_SECONDS = 20.0  # without a byte, during a download
_RENDERED = {"train": 5000, "validation": 1000, "test": 1000}


class DataUnavailable(DataError):
    """A data set can be had from nowhere, and no stand-in is wanted."""


@dataclass(frozen=True)
class _Spec:
    """A data set: its layout, its title in prose, and the sizes of its splits."""

    layout: Layout
    title: str
    sizes: dict[str, int]
    validation: int  # taken from the training images where there is no such split
    fetch: Callable[[Layout, Path], Path] | None = None


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels in three splits, with their origin.

    Attributes:
        name: the name given to `load`.
        source: "cache", "mirror", "download", "stand-in" or "rendered".
        x_train: images, `(n, height, width, channels)`, float32 in [0, 1] or uint8.
        y_train: labels, int32, `(n,)`, indices into `class_names`.
        x_validation: as `x_train`; no image of it is in another split.
        y_validation: as `y_train`.
        x_test: as `x_train`.
        y_test: as `y_train`.
        class_names: the classes, in the order of their labels. Those of a stand-in are
            the rendered kinds, since that is what the pictures show.
        image_shape: `(height, width, channels)`.
        num_classes: the number of classes.
        provenance: one sentence that says where the images come from.
    """

    name: str
    source: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    num_classes: int
    provenance: str

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name!r}, source={self.source!r}, "
            f"train={len(self.x_train)}, validation={len(self.x_validation)}, "
            f"test={len(self.x_test)}, image_shape={self.image_shape}, "
            f"num_classes={self.num_classes})"
        )


def load(
    name: str,
    *,
    train: int | None = None,
    validation: int | None = None,
    test: int | None = None,
    image_size: int | None = None,
    classes: int | Sequence[str] | None = None,
    seed: int = 0,
    dtype: str = "float32",
    max_gigabytes: float | None = None,
) -> Dataset:
    """Load a data set, or a seeded, stratified part of it, and say where it is from.

    The order is cache, local mirror (`COURSE_DATA`), download, rendered stand-in; see
    this module's own text. Each split keeps the proportions of the classes. Where a
    data set has no validation split, it is taken from the training images, and the
    same `validation` and `seed` give the same one whatever `train` is. Train and
    validation never share an image.

    Taught in lesson 00.

    Args:
        name: "mnist", "fashion_mnist", "cifar10", "cats_vs_dogs" or "shapes".
        train: number of training images; `None` for all that exist besides
            `validation`. (5,000 for `shapes` and for a stand-in.)
        validation: number of validation images, 0 for none; `None` for the split that
            the data set has, or else 10,000 (MNIST, Fashion-MNIST) or 5,000 (CIFAR-10,
            as He et al., 2016). (1,000 for `shapes` and for a stand-in.)
        test: number of test images, 0 for none; `None` for all. (1,000 likewise.)
        image_size: height and width in pixels, from 8 to 512 (`shapes`: 16 to 256);
            `None` for the data set's own: 28 (MNIST), 32 (CIFAR-10), 180 (cats and
            dogs), 64 (`shapes`). Other sizes are resized bilinearly.
        classes: `None` for all, an integer `k` for the first `k`, or a sequence of
            class names. Labels follow this order.
        seed: a non-negative integer that picks the images (renders them, in `shapes`).
        dtype: "float32" for values in [0, 1], "uint8" for bytes.
        max_gigabytes: the most memory the arrays may take; `None` for the environment
            variable `COURSE_MEMORY_GB`, or 2. While loading, the bytes that were read
            come on top: a quarter more.

    Returns:
        A `Dataset`; its arrays are channels last, always with four axes.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: an argument is out of range, a name is unknown, or the request needs
            more memory than is allowed (the message says how much, and what to lower).
        FileNotFoundError: `COURSE_DATA` names a folder that does not exist.
        DataError: a file is damaged, unsafe, or is not what its name says.
        DataUnavailable: the data set cannot be had and `COURSE_OFFLINE=error`.

    Example:
        >>> data = load("cifar10", train=5000, validation=1000, test=1000)
        >>> data.x_train.shape
        (5000, 32, 32, 3)
    """
    validate.string("name", name)
    spec = _SPECS[validate.choice("name", name, NAMES)]
    asked = {"train": train, "validation": validation, "test": test}
    for split, number in asked.items():
        if number is not None:
            validate.integer(split, number, 1 if split == "train" else 0)
    rendered = name == "shapes"
    if image_size is not None:
        bounds = (shapes.SMALLEST, shapes.LARGEST) if rendered else (8, 512)
        validate.integer("image_size", image_size, *bounds)
    size = image_size or spec.layout.size
    chosen = shapes.select_names("classes", classes, spec.layout.class_names)
    seed = validate.integer("seed", seed, 0)
    validate.choice("dtype", dtype, ("float32", "uint8"))
    request = _Request(spec, asked, size, chosen, seed, dtype, _limit(max_gigabytes))

    if rendered:
        dataset = _render(request, spec.layout.class_names, "rendered", "")
    else:
        try:
            found = _find(spec)
        except DataUnavailable as reason:
            if _offline() == "error":
                raise
            dataset = _stand_in(request, str(reason))
            _warn_stand_in(dataset)
            return dataset
        dataset = _take(request, found)
    print(f"Data: {dataset.provenance}")
    return dataset


@dataclass(frozen=True)
class _Request:
    """A checked call of `load`."""

    spec: _Spec
    asked: dict[str, int | None]
    size: int
    classes: tuple[str, ...]
    seed: int
    dtype: str
    gigabytes: float

    def check_memory(self, counts: dict[str, int]) -> None:
        """Refuse a request whose arrays would be too large."""
        layout = self.spec.layout
        pixels = self.size * self.size * layout.channels
        number = sum(counts.values())
        needed = number * pixels * np.dtype(self.dtype).itemsize / 1e9
        if needed <= self.gigabytes:
            return
        largest = max(counts, key=lambda split: counts[split])
        ways = [f"lower `{largest}=` (now {counts[largest]:,})"]
        if self.size > 32:
            ways.append(f"lower `image_size=` (now {self.size})")
        if self.dtype == "float32":
            ways.append('ask for `dtype="uint8"` (a quarter)')
        ways.append("raise `max_gigabytes=` or COURSE_MEMORY_GB")
        validate.fail_with_words(
            largest,
            f"a request of at most {self.gigabytes:g} GB of memory",
            f"one of {needed:.2f} GB ({number:,} images of "
            f"{archives.as_words((self.size, self.size, layout.channels))}, "
            f"{self.dtype}); " + ", or ".join(ways),
        )


def _limit(max_gigabytes: float | None) -> float:
    if max_gigabytes is not None:
        limit = validate.number("max_gigabytes", max_gigabytes, 0)
        if limit == 0:
            validate.fail("max_gigabytes", "more than 0", max_gigabytes)
        return limit
    text = os.environ.get("COURSE_MEMORY_GB", "").strip()
    if not text:
        return DEFAULT_MEMORY_GB
    try:
        limit = float(text)
    except ValueError:
        limit = float("nan")
    if not 0 < limit < float("inf"):
        validate.fail("COURSE_MEMORY_GB", "a number of GB above 0", text)
    return limit


def _offline() -> str:
    """Return what COURSE_OFFLINE says: "" (not set), "1" or "error"."""
    text = os.environ.get("COURSE_OFFLINE", "").strip().lower()
    if text in ("", "0"):
        return ""
    return validate.choice("COURSE_OFFLINE", text, ("1", "error"))


# --------------------------------------------------------------- picking images


def _quotas(number: int, sizes: np.ndarray) -> np.ndarray:
    """Share `number` out in proportion to `sizes`, by largest remainder."""
    exact = number * sizes / max(sizes.sum(), 1)
    quotas = np.floor(exact).astype(int)
    order = np.argsort(quotas - exact, kind="stable")
    quotas[order[: number - quotas.sum()]] += 1
    return quotas


def _stratified(
    labels: np.ndarray, classes: int, back: int, front: int, seed: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return `front` and `back` indices, disjoint, shuffled, classes in proportion.

    Each class is put in a random order; one part takes from its start, the other from
    its end, so that neither depends on how much the other takes.
    """
    rng = np.random.default_rng([*seed, 0])
    rows = [rng.permutation(np.flatnonzero(labels == k)) for k in range(classes)]
    sizes = np.array([len(row) for row in rows])
    ends = _quotas(back, sizes)
    starts = _quotas(front, sizes - ends)
    parts = []
    for key, take in (
        (1, [row[:n] for row, n in zip(rows, starts, strict=True)]),
        (2, [row[len(row) - n :] for row, n in zip(rows, ends, strict=True)]),
    ):
        mixed = np.random.default_rng([*seed, key])
        parts.append(mixed.permutation(np.concatenate(take)))
    return parts[0], parts[1]


def _relabel(
    labels: np.ndarray, names: Sequence[str], chosen: Sequence[str]
) -> np.ndarray:
    """Return labels as indices into `chosen`, -1 for the classes left out."""
    table = np.full(len(names), -1, np.int32)
    for new, name in enumerate(chosen):
        table[names.index(name)] = new
    return table[labels]


def _counts(request: _Request, held: dict[str, int]) -> dict[str, int]:
    """Return the number of images of each split, checked against what exists."""
    asked = request.asked
    own = "validation" in held  # the data set has a validation split of its own
    pool = held["train"]
    words = "what there is"

    def within(split: str, number: int | None, most: int, beside: str = "") -> int:
        if number is None:
            return most
        if number > most:
            validate.fail(
                split,
                f"at most {most:,} images ({words} of {request.spec.layout.name}"
                f"{' in these classes' if few else ''}{beside})",
                number,
            )
        return number

    few = len(request.classes) < len(request.spec.layout.class_names)
    counts = {}
    if own:
        counts["validation"] = within(
            "validation", asked["validation"], held["validation"]
        )
        counts["train"] = within("train", asked["train"], pool)
    else:
        number = asked["validation"]
        if number is None:
            share = request.spec.validation / request.spec.sizes["train"]
            number = round(pool * share)
            if asked["train"] is not None:
                number = max(0, min(number, pool - asked["train"]))
        counts["validation"] = within("validation", number, pool - 1)
        beside = f" besides {counts['validation']:,} for validation"
        counts["train"] = within(
            "train", asked["train"], pool - counts["validation"], beside
        )
    counts["test"] = within("test", asked["test"], held["test"])
    return {split: counts[split] for split in archives.SPLITS}


def _take(request: _Request, found: _Found) -> Dataset:
    """Read the requested images from an open data file."""
    layout = request.spec.layout
    labels = {
        split: _relabel(values, layout.class_names, request.classes)
        for split, values in found.reader.labels.items()
    }
    counts = _counts(
        request, {split: int((y >= 0).sum()) for split, y in labels.items()}
    )
    request.check_memory(counts)

    total = len(request.classes)
    own = "validation" in labels
    back = 0 if own else counts["validation"]
    front = counts["train"]
    picks = {}
    picks["train"], rest = _stratified(
        labels["train"], total, back, front, [request.seed, 0]
    )
    origin = {"train": "train", "validation": "train", "test": "test"}
    if own:
        origin["validation"] = "validation"
        rest, _ = _stratified(
            labels["validation"], total, 0, counts["validation"], [request.seed, 1]
        )
    picks["validation"] = rest
    picks["test"], _ = _stratified(
        labels["test"], total, 0, counts["test"], [request.seed, 2]
    )

    arrays = {}
    for split, indices in picks.items():
        images = found.reader.read(origin[split], indices, request.size)
        arrays[f"x_{split}"] = _as_dtype(images, request.dtype)
        arrays[f"y_{split}"] = labels[origin[split]][indices]
    found.reader.close()
    origin_words = {
        "cache": f"from the cache ({found.words})",
        "mirror": f"from the local mirror ({found.words})",
        "download": f"downloaded, checksum verified ({found.words})",
    }[found.source]
    return _dataset(request, found.source, request.classes, arrays, origin_words)


def _as_dtype(images: np.ndarray, dtype: str) -> np.ndarray:
    return images if dtype == "uint8" else np.divide(images, 255, dtype=np.float32)


def _dataset(
    request: _Request,
    source: str,
    class_names: tuple[str, ...],
    arrays: dict[str, np.ndarray],
    origin: str,
) -> Dataset:
    shape = arrays["x_train"].shape[1:]
    counts = [
        f"{len(arrays[f'x_{split}']):,} {word}"
        for split, word in (
            ("train", "training"),
            ("validation", "validation"),
            ("test", "test"),
        )
    ]
    provenance = (
        f"{request.spec.title} {origin}: {', '.join(counts)} images of "
        f"{archives.as_words(shape)} in {len(class_names)} classes, "
        f"seed {request.seed}."
    )
    return Dataset(
        name=request.spec.layout.name,
        source=source,
        class_names=class_names,
        image_shape=shape,
        num_classes=len(class_names),
        provenance=provenance,
        **arrays,
    )


# ------------------------------------------------------------ rendered pictures


def _render(
    request: _Request, kinds: tuple[str, ...], source: str, origin: str
) -> Dataset:
    """Render the requested splits; `kinds` are those of all the classes there are."""
    layout = request.spec.layout
    positions = [layout.class_names.index(name) for name in request.classes]
    chosen = tuple(kinds[position] for position in positions)
    counts = {
        split: _RENDERED[split] if number is None else number
        for split, number in request.asked.items()
    }
    request.check_memory(counts)
    size = min(max(request.size, shapes.SMALLEST), shapes.LARGEST)
    arrays = {}
    for stream, (split, number) in enumerate(counts.items()):
        # The training images are those of `shapes.render` with the same seed.
        key = (request.seed, 100 + stream) if stream else (request.seed,)
        images, labels, _ = shapes.render_stream(number, size, key, chosen)
        if layout.channels == 1:
            images = images @ np.array([0.299, 0.587, 0.114], np.float32)
            images = np.rint(images).astype(np.uint8)[..., None]
        images = archives.resize(images, request.size)
        arrays[f"x_{split}"] = _as_dtype(images, request.dtype)
        arrays[f"y_{split}"] = labels
    return _dataset(request, source, chosen, arrays, origin or "rendered by the course")


def _stand_in(request: _Request, reason: str) -> Dataset:
    """Render pictures in place of a data set, within the sizes that it has."""
    spec = request.spec
    most = {"validation": spec.validation, **spec.sizes}
    part = len(request.classes) / len(spec.layout.class_names)
    asked: dict[str, int | None] = {
        split: min(_RENDERED[split], round(most[split] * part))
        if number is None
        else number
        for split, number in request.asked.items()
    }
    request = replace(request, asked=asked)
    _counts(request, {split: round(n * part) for split, n in spec.sizes.items()})
    kinds = shapes.KINDS[: len(spec.layout.class_names)]
    dataset = _render(request, kinds, "stand-in", "replaced by rendered shapes")
    return replace(dataset, provenance=f"{dataset.provenance} {reason}")


def _warn_stand_in(dataset: Dataset) -> None:
    """Show the box that says that the pictures are not the real ones."""
    title = _SPECS[dataset.name].title
    heading = f"Stand-in data: this is not {title}"
    text = (
        f"{dataset.provenance} The pictures show {', '.join(dataset.class_names)}. "
        "Every number below is about these rendered pictures, not about the real data."
    )
    line = "=" * 72
    plain = f"{line}\n{heading}\n{text}\n{line}"
    box = (
        '<div role="note" style="border:2px solid #d55e00;border-left-width:10px;'
        "padding:0.6em 0.9em;margin:0.5em 0;background:#fff4e5;color:#1a1a1a;"
        f'border-radius:4px"><strong>{escape(heading)}</strong><br>'
        f"{escape(text)}</div>"
    )
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    if getattr(shell, "kernel", None) is not None:
        from IPython.display import display

        display({"text/html": box, "text/plain": plain}, raw=True)
    else:
        print(plain)


# ------------------------------------------------------------- finding the file


@dataclass(frozen=True)
class _Found:
    """An open data file with its source, and words on what it is."""

    reader: Reader
    source: str
    words: str


def cache_folder() -> Path:
    """Return the folder of the course's downloads (it may not exist yet)."""
    named = os.environ.get("COURSE_CACHE", "").strip()
    if named:
        return Path(named).expanduser()
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "modern-convnets"


def _mirror_folders() -> list[Path]:
    text = os.environ.get("COURSE_DATA", "").strip()
    parts = [part for part in text.split(os.pathsep) if part]
    return [
        Path(validate.folder("COURSE_DATA", os.path.expanduser(part))) for part in parts
    ]


def _find(spec: _Spec) -> _Found:
    """Return the data set's file, from the first source that has it."""
    name = spec.layout.name
    mirrors = _mirror_folders()
    offline = _offline()

    advice = "Delete this file; the next call fetches it again."
    for path in _candidates(cache_folder(), name):
        return _open(spec, File(path, advice), "cache")

    advice = "Replace it by a good copy, or unset COURSE_DATA to use the original data."
    for folder in mirrors:
        for path in _candidates(folder, name):
            verified = _verify(path, advice)
            return _open(spec, File(path, advice), "mirror", verified)
    if name == "fashion_mnist":
        nested = [folder / "fashion-mnist" for folder in mirrors]
        found = archives.find_idx([*mirrors, *nested])
        if found is not None:
            return _open_fashion(spec, found, advice)

    missing = "the local mirror does not have it" if mirrors else "no local mirror set"
    start = f"{spec.title} cannot be had: not in the cache, {missing}"
    if offline == "1":
        raise DataUnavailable(f"{start}, and COURSE_OFFLINE keeps off the network.")
    try:
        path = _download(spec)
    except _DownloadFailed as error:
        raise DataUnavailable(
            f"{start}, and the download failed: {error}. Connect to the network, or "
            f"set COURSE_DATA to a folder that holds {name}.zip or {name}.npz."
        ) from error
    return _open(spec, File(path, "Delete it and try again."), "download")


def _candidates(folder: Path, name: str) -> list[Path]:
    paths = [folder / f"{name}.npz", folder / f"{name}.zip"]
    for path in paths:
        if path.is_dir():
            raise DataError(
                f"{path} is a folder, and should be a file. Pack its class folders "
                "into a file of this name, or move the folder away."
            )
    return [path for path in paths if path.is_file()]


def _open(spec: _Spec, file: File, source: str, verified: bool = False) -> _Found:
    reader: Reader
    if file.path.suffix == ".npz":
        reader = archives.read_npz(file, spec.layout)
    else:
        reader = archives.ImageZip(file, spec.layout)
    words = file.path.name
    if verified:
        words += ", checksum verified"
    if reader.lossy and spec.layout.name == "cifar10":
        words += ", stored as JPEG, so pixels differ slightly from the original"
    return _Found(reader, source, words)


def _open_fashion(
    spec: _Spec, found: dict[str, tuple[Path, Path]], advice: str
) -> _Found:
    files = {}
    verified = []
    for split, pair in found.items():
        verified += [_verify(path, advice) for path in pair]
        files[split] = (File(pair[0], advice), File(pair[1], advice))
    reader = archives.read_idx(files, spec.layout)
    if len(set(np.bincount(reader.labels["train"]).tolist())) > 1:
        raise files["train"][1].error(
            "wrong contents for fashion_mnist: its classes are not equally frequent, "
            "these seem to be the files of MNIST, which bear the same names"
        )
    words = "IDX files" + (", checksums verified" if all(verified) else "")
    return _Found(reader, "mirror", words)


_verified: dict[tuple[str, int, int], str] = {}  # path, size, time -> its checksum


def _verify(path: Path, advice: str) -> bool:
    """Check a mirror's file against SHA256SUMS beside it; False where not listed."""
    listing = path.parent / "SHA256SUMS"
    if not listing.is_file():
        return False
    wanted = None
    for line in listing.read_text("utf-8", errors="replace").splitlines():
        digest, _, listed = line.strip().partition(" ")
        if listed.strip().lstrip("*").removeprefix("./") == path.name:
            wanted = digest.lower()
    if wanted is None:
        return False
    status = path.stat()
    key = (str(path.resolve()), status.st_size, status.st_mtime_ns)
    if key not in _verified:
        total = hashlib.sha256()
        with open(path, "rb") as stream:
            while chunk := stream.read(1 << 20):
                total.update(chunk)
        _verified[key] = total.hexdigest()
    if _verified[key] != wanted:
        raise File(path, advice).error(
            f"its checksum is not the one in SHA256SUMS, it is damaged or another file "
            f"(expected {wanted}, got {_verified[key]})"
        )
    return True


# ------------------------------------------------------------------- downloads


class _DownloadFailed(Exception):
    """A download did not come to its end; says why."""


_answers: dict[str, bool] = {}  # host -> whether it answered, asked once a process


def _reachable(host: str) -> bool:
    """Say whether a host (or the proxy that leads there) answers in a few seconds."""
    if host not in _answers:
        proxies = urllib.request.getproxies()
        address = (host, 443)
        proxy = proxies.get("https") or proxies.get("all")
        if proxy and not urllib.request.proxy_bypass(host):
            parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"//{proxy}")
            address = (parts.hostname or host, parts.port or 80)
        answer: list[bool] = []

        def connect() -> None:
            try:
                socket.create_connection(address, timeout=CONNECT_SECONDS).close()
                answer.append(True)
            except OSError:
                pass

        # In a thread, since looking up a name has no time limit of its own.
        thread = threading.Thread(target=connect, daemon=True)
        thread.start()
        thread.join(CONNECT_SECONDS + 1)
        _answers[host] = bool(answer)
    return _answers[host]


def _fetch(url: str, digest: str, folder: Path) -> Path:
    """Download one file into `folder` by Keras and check it against its digest."""
    host = urllib.parse.urlsplit(url).hostname or ""
    if not _reachable(host):
        raise _DownloadFailed(f"no answer from {host} within {CONNECT_SECONDS:g} s")
    import keras

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_STALL_SECONDS)
    try:
        path = keras.utils.get_file(
            Path(urllib.parse.urlsplit(url).path).name,
            origin=url,
            file_hash=digest,
            hash_algorithm="sha256" if len(digest) == 64 else "md5",
            cache_dir=str(folder),
            cache_subdir="",
        )
    except Exception as error:  # get_file raises plain Exception
        raise _DownloadFailed(f"{url}: {str(error).rstrip('.')}") from error
    finally:
        socket.setdefaulttimeout(before)
    return Path(path)


@contextmanager
def _staging(cache: Path):
    """Give a folder inside the cache that vanishes, whatever happens."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".partial-", dir=cache))
    except OSError as error:
        raise DataError(
            f"{cache}: the cache cannot be written ({error.strerror}). Set "
            "COURSE_CACHE to a folder that you may write."
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _download(spec: _Spec) -> Path:
    """Download a data set into the cache, whole or not at all; return its file."""
    cache = cache_folder()
    if spec.fetch is None:
        raise _DownloadFailed("there is no download")
    with _staging(cache) as folder:
        _sweep(cache)
        made = spec.fetch(spec.layout, folder)
        # What will be in the cache has been read once before it gets there.
        _open(spec, File(made, "Try again."), "download").reader.close()
        target = cache / made.name
        os.replace(made, target)
    return target


def _sweep(cache: Path) -> None:
    """Remove what killed processes left behind, once it is a day old."""
    for folder in cache.glob(".partial-*"):
        try:
            if time.time() - folder.stat().st_mtime > 86_400:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue


_GOOGLE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


def _fetch_mnist(layout: Layout, folder: Path) -> Path:
    """Fetch MNIST (LeCun et al., 1998) as Keras packs it; its checksum is Keras'."""
    return _fetch(
        _GOOGLE + "mnist.npz",
        "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
        folder,
    )


def _fetch_fashion_mnist(layout: Layout, folder: Path) -> Path:
    """Fetch the four files of Fashion-MNIST (Xiao et al., 2017).

    Checksums (MD5) as its authors publish them.
    """
    digests = {
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    }
    for name, digest in digests.items():
        _fetch(_GOOGLE + name, digest, folder)
    found = archives.find_idx([folder])
    if found is None:
        raise _DownloadFailed("not all of the four files came")
    files = {
        split: (File(pair[0], "Try again."), File(pair[1], "Try again."))
        for split, pair in found.items()
    }
    return _save(archives.read_idx(files, layout), folder / "fashion_mnist.npz")


def _fetch_cifar10(layout: Layout, folder: Path) -> Path:
    """Fetch CIFAR-10 (Krizhevsky, 2009), the binary version: it holds no pickles.

    Checksum (MD5) as its author publishes it. A record is a label and 3,072 bytes,
    32×32 for red, then green, then blue.
    """
    path = _fetch(
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "c32a1d4ab5d03f1284b67883e8d87530",
        folder,
    )
    return _save(
        _read_cifar10(File(path, "Try again."), layout), folder / "cifar10.npz"
    )


def _read_cifar10(file: File, layout: Layout) -> archives.Arrays:
    parts: dict[str, bytes] = {}
    try:
        with tarfile.open(file.path) as archive:
            for member in archive:
                name = member.name.rsplit("/", 1)[-1]
                if member.isfile() and re.fullmatch(r"(data|test)_batch.*\.bin", name):
                    stream = archive.extractfile(member)
                    parts[name] = stream.read(64 << 20) if stream else b""
    except (tarfile.TarError, OSError, EOFError) as error:
        raise file.error(f"not a readable tar archive ({error})") from error
    images, labels = {}, {}
    for split, stem in (("train", "data"), ("test", "test")):
        names = sorted(name for name in parts if name.startswith(stem))
        data = np.frombuffer(b"".join(parts[name] for name in names), np.uint8)
        if not len(data) or len(data) % 3073:
            raise file.error(f"the {split} batches are missing or damaged")
        records = data.reshape(-1, 3073)
        labels[split] = records[:, 0]
        planes = records[:, 1:].reshape(-1, 3, 32, 32)
        images[split] = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
    return archives.checked_arrays(file, images, labels, layout)


def _save(arrays: archives.Arrays, target: Path) -> Path:
    named = {f"x_{split}": x for split, x in arrays.images.items()}
    named |= {f"y_{split}": y.astype(np.uint8) for split, y in arrays.labels.items()}
    np.savez(target, **named)  # type: ignore[arg-type]
    return target


def _fetch_cats_vs_dogs(layout: Layout, folder: Path) -> Path:
    """Fetch Microsoft's archive of the Asirra photographs (Elson et al., 2007).

    This is the archive that Keras' example "Image classification from scratch" and
    TensorFlow Datasets use: 824,887,076 bytes, 12,500 photographs of each class under
    `PetImages/Cat` and `PetImages/Dog`, some of them damaged. The SHA-256 is the one
    that public projects record for it; the download itself has not been tried by this
    course's tests, which only run the steps after it, on small archives.

    As in Keras' example, photographs without a JFIF header are left out, and so are
    those that cannot be decoded. Of the rest, in the order of their numbers, the first
    1,000 of a class are for training, the next 500 for validation, the next 500 for
    testing (the sizes of Chollet, "Deep Learning with Python"). They are resized to
    180×180 and kept as JPEG of quality 95, 40 MB or so instead of 825. Microsoft's
    numbering is not Kaggle's, so these are not the very photographs of the book.
    """
    print("Cats and dogs come as one archive of 825 MB; it is fetched once.")
    path = _fetch(
        "https://download.microsoft.com/download/3/E/1/"
        "3E1C3F21-ECDB-4869-8368-6DEBA77B919F/kagglecatsanddogs_5340.zip",
        "b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
        folder,
    )
    target = folder / "cats_vs_dogs.zip"
    return _shrink_pets(File(path, "Try again."), layout, target)


def _shrink_pets(
    file: File,
    layout: Layout,
    target: Path,
    sizes: Sequence[tuple[str, int]] = (
        ("train", 1000),
        ("validation", 500),
        ("test", 500),
    ),
) -> Path:
    """Write the course's image zip from Microsoft's archive."""
    from PIL import Image

    archive, members = archives.open_archive(file)
    rows: list[tuple[str, bytes]] = []
    with archive:
        for name in layout.class_names:
            numbered = {}
            for member in members:
                match = re.fullmatch(
                    rf"PetImages/{name.capitalize()}/(\d+)\.jpg", member.filename
                )
                if match:
                    numbered[int(match[1])] = member
            photographs = iter(sorted(numbered.items()))
            for split, wanted in sizes:
                kept = 0
                while kept < wanted:
                    try:
                        number, member = next(photographs)
                    except StopIteration:
                        raise file.error(
                            f"wrong contents for {layout.name}: only {kept} of "
                            f"{wanted} {split} photographs of class {name}"
                        ) from None
                    data = archives.read_member(file, archive, member)
                    if b"JFIF" not in data[:10]:
                        continue
                    try:
                        with warnings.catch_warnings():
                            warnings.simplefilter("ignore")  # odd EXIF fields
                            opened = Image.open(io.BytesIO(data), formats=("JPEG",))
                            image = opened.convert("RGB").resize(
                                (layout.size, layout.size), Image.Resampling.BILINEAR
                            )
                    except (OSError, ValueError, Image.DecompressionBombError):
                        continue
                    packed = io.BytesIO()
                    image.save(packed, "JPEG", quality=95)
                    rows.append((f"{split}/{name}/{number:05d}.jpg", packed.getvalue()))
                    kept += 1
    archives.write_image_zip(target, rows)
    return target


# ------------------------------------------------------------ the data sets

_DIGITS = tuple(str(digit) for digit in range(10))
_SPECS: dict[str, _Spec] = {
    "mnist": _Spec(
        Layout("mnist", _DIGITS, 28, 1),
        "MNIST",
        {"train": 60_000, "test": 10_000},
        10_000,
        _fetch_mnist,
    ),
    "fashion_mnist": _Spec(
        Layout(
            "fashion_mnist",
            (
                "T-shirt",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ),
            28,
            1,
        ),
        "Fashion-MNIST",
        {"train": 60_000, "test": 10_000},
        10_000,
        _fetch_fashion_mnist,
    ),
    "cifar10": _Spec(
        Layout(
            "cifar10",
            (
                "airplane",
                "automobile",
                "bird",
                "cat",
                "deer",
                "dog",
                "frog",
                "horse",
                "ship",
                "truck",
            ),
            32,
            3,
        ),
        "CIFAR-10",
        {"train": 50_000, "test": 10_000},
        5_000,
        _fetch_cifar10,
    ),
    "cats_vs_dogs": _Spec(
        Layout("cats_vs_dogs", ("cat", "dog"), 180, 3),
        "Cats vs. Dogs",
        {"train": 2_000, "validation": 1_000, "test": 1_000},
        1_000,
        _fetch_cats_vs_dogs,
    ),
    "shapes": _Spec(
        Layout("shapes", shapes.KINDS, 64, 3),
        "The shapes",
        _RENDERED,
        1_000,
    ),
}

NAMES: tuple[str, ...] = tuple(_SPECS)
"""The names that `load` takes."""
