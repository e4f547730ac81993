"""`load`: where data comes from, which images it picks, and what it refuses."""

import gzip
import hashlib
import http.server
import io
import os
import socket
import stat
import struct
import sys
import tarfile
import threading
import types
import warnings
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from course_utils import _archives, data, shapes
from course_utils.data import DataError, DataUnavailable, load

CIFAR = data._SPECS["cifar10"].layout.class_names
REACHABLE = data._reachable  # each test has a stand-in for it
CONNECT, FETCH = socket.create_connection, data._fetch
SMALL = {"train": 20, "validation": 10, "test": 10}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch, tmp_path):
    """Give each test its own empty cache, no mirror, and no network at all."""

    def refuse(*arguments, **options):
        raise AssertionError("a test tried to reach the network")

    for name in ("COURSE_DATA", "COURSE_OFFLINE", "COURSE_MEMORY_GB"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(data, "_answers", {})
    monkeypatch.setattr(data, "_reachable", lambda host: False)
    monkeypatch.setattr(socket, "create_connection", refuse)


@pytest.fixture
def mirror(monkeypatch, tmp_path):
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv("COURSE_DATA", str(folder))
    return folder


@pytest.fixture
def cache(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


def picture(value, size=32, kind="PNG", mode="RGB"):
    """One image whose pixels all tell which image it is."""
    color = (value % 256, value // 256, 128) if mode == "RGB" else value
    buffer = io.BytesIO()
    Image.new(mode, (size, size), color).save(buffer, kind)
    return buffer.getvalue()


def write_zip(path, per_class=None, names=CIFAR, size=32, extra=(), **options):
    """An image zip; pixel values number the images of all splits from 0."""
    per_class = per_class or {"train": 10, "test": 4}
    number = 0
    with zipfile.ZipFile(path, "w") as archive:
        for split, count in per_class.items():
            for name in names:
                for index in range(count):
                    content = picture(number, size, **options)
                    archive.writestr(f"{split}/{name}/{index:04d}.png", content)
                    number += 1
        for name, content in extra:
            archive.writestr(name, content)
    return path


def arrays(train=300, test=100, size=28, classes=10):
    """MNIST-like arrays; the first two pixels number the images."""
    total = train + test
    x = np.zeros((total, size, size), np.uint8)
    x[:, 0, 0] = np.arange(total) % 256
    x[:, 0, 1] = np.arange(total) // 256
    x[:, 1:] = 200
    y = np.arange(total) % classes
    return {
        "x_train": x[:train],
        "y_train": y[:train].astype(np.uint8),
        "x_test": x[train:],
        "y_test": y[train:].astype(np.uint8),
    }


def ids(images):
    """Return the numbers that `arrays` and `picture` write into the pixels."""
    gray = images.shape[-1] == 1
    low = images[:, 0, 0, 0].astype(int)
    high = (images[:, 0, 1, 0] if gray else images[:, 0, 0, 1]).astype(int)
    return (low + 256 * high).tolist()


# ------------------------------------------------------------ types and shapes


def test_npz_mirror_gives_scaled_images_with_four_axes(mirror, capsys):
    np.savez(mirror / "mnist.npz", **arrays())
    mnist = load("mnist", train=100, validation=50, test=40)
    assert mnist.x_train.shape == (100, 28, 28, 1)
    assert mnist.x_train.dtype == np.float32
    assert mnist.x_train[:, 1:] == pytest.approx(200 / 255)
    assert mnist.y_train.shape == (100,)
    assert mnist.y_train.dtype == np.int32
    assert mnist.x_validation.shape == (50, 28, 28, 1)
    assert mnist.x_test.shape == (40, 28, 28, 1)
    assert mnist.image_shape == (28, 28, 1)
    assert mnist.num_classes == 10
    assert mnist.source == "mirror"
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1
    assert mnist.provenance in shown
    assert "local mirror (mnist.npz)" in shown
    assert str(mirror) not in shown  # a built page tells nothing about the machine
    assert "array(" not in repr(mnist)


def test_zip_mirror_gives_the_pixels_that_are_in_it(mirror):
    write_zip(mirror / "cifar10.zip")
    cifar = load("cifar10", **SMALL, dtype="uint8")
    assert cifar.x_train.dtype == np.uint8
    assert cifar.class_names == CIFAR
    for number, label in zip(ids(cifar.x_train), cifar.y_train, strict=True):
        assert number // 10 == label  # ten training images a class, in class order


def test_images_are_resized_on_request(mirror):
    write_zip(mirror / "cifar10.zip")
    assert load("cifar10", **SMALL, image_size=20).x_test.shape == (10, 20, 20, 3)
    np.savez(mirror / "mnist.npz", **arrays())
    larger = load("mnist", **SMALL, image_size=40)
    assert larger.x_train.shape == (20, 40, 40, 1)
    assert larger.image_shape == (40, 40, 1)


def test_jpeg_cifar_says_that_it_is_no_original(mirror, capsys):
    write_zip(mirror / "cifar10.zip")
    assert "JPEG" not in load("cifar10", **SMALL).provenance
    with zipfile.ZipFile(mirror / "cifar10.zip", "w") as archive:
        for split in ("train", "test"):
            for name in CIFAR:
                for index in range(5):
                    content = picture(9, kind="JPEG")
                    archive.writestr(f"{split}/{name}/{index}.jpg", content)
    assert "stored as JPEG" in load("cifar10", **SMALL).provenance


def test_a_zip_with_all_in_one_folder_and_litter_is_read(mirror):
    path = mirror / "cats_vs_dogs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for split in ("train", "validation", "test"):
            for name in ("cat", "dog"):
                archive.writestr(f"pets/{split}/{name}/1.png", picture(3, 180))
        archive.writestr("pets/", "")
        archive.writestr("pets/train/.DS_Store", b"junk")
        archive.writestr("__MACOSX/pets/train/cat/._1.png", b"junk")
    pets = load("cats_vs_dogs")
    assert pets.x_train.shape == (2, 180, 180, 3)
    assert pets.y_validation.tolist() in ([0, 1], [1, 0])


# --------------------------------------------------------------------- subsets


def test_subsets_keep_the_proportions_of_the_classes(mirror):
    content = arrays(train=1000)
    content["y_train"] = np.repeat(
        np.arange(10), [10, 20, 30, 40, 50, 150, 100] + [200] * 3
    )
    np.savez(mirror / "mnist.npz", **content)
    mnist = load("mnist", train=200, validation=100, test=10)
    share = np.bincount(content["y_train"], minlength=10) / 1000
    for labels in (mnist.y_train, mnist.y_validation):
        counted = np.bincount(labels, minlength=10)
        assert np.abs(counted - share * len(labels)).max() <= 1


@pytest.mark.parametrize("train", [1, 37, 200, 250])
def test_validation_comes_from_training_images_and_is_disjoint(mirror, train):
    np.savez(mirror / "mnist.npz", **arrays())
    mnist = load("mnist", train=train, validation=50, test=0, dtype="uint8")
    picked, held_out = ids(mnist.x_train), ids(mnist.x_validation)
    assert len(set(picked)) == train
    assert len(set(held_out)) == 50
    assert not set(picked) & set(held_out)
    assert max(picked + held_out) < 300  # none of the test images
    assert mnist.x_test.shape == (0, 28, 28, 1)
    again = load("mnist", train=20, validation=50, test=0, dtype="uint8")
    assert ids(again.x_validation) == held_out  # whatever `train` is


def test_all_images_when_no_number_is_given(mirror):
    np.savez(mirror / "mnist.npz", **arrays())
    mnist = load("mnist", dtype="uint8")
    assert len(mnist.x_validation) == 50  # a sixth, as 10,000 of 60,000
    assert sorted(ids(mnist.x_train) + ids(mnist.x_validation)) == list(range(300))
    assert sorted(ids(mnist.x_test)) == list(range(300, 400))
    whole = load("mnist", validation=0, dtype="uint8")
    assert sorted(ids(whole.x_train)) == list(range(300))
    assert whole.x_validation.shape == (0, 28, 28, 1)
    assert len(load("mnist", train=290).x_validation) == 10  # what is left


def test_a_validation_split_of_its_own_is_used(mirror):
    sizes = {"train": 6, "validation": 3, "test": 3}
    write_zip(mirror / "cats_vs_dogs.zip", sizes, ("cat", "dog"), 180)
    pets = load("cats_vs_dogs", dtype="uint8")
    assert sorted(ids(pets.x_train)) == list(range(12))
    assert sorted(ids(pets.x_validation)) == list(range(12, 18))
    assert sorted(ids(pets.x_test)) == list(range(18, 24))


def test_the_seed_picks_the_images(mirror):
    np.savez(mirror / "mnist.npz", **arrays())
    first, again, other = (
        ids(load("mnist", **SMALL, seed=seed, dtype="uint8").x_train)
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_classes_by_name_are_relabeled_in_that_order(mirror):
    write_zip(mirror / "cifar10.zip")
    pair = load("cifar10", train=8, validation=4, test=4, classes=["dog", "cat"])
    assert pair.class_names == ("dog", "cat")
    assert pair.num_classes == 2
    bytes_of = load(
        "cifar10", train=8, validation=4, test=4, classes=["dog", "cat"], dtype="uint8"
    )
    for number, label in zip(ids(bytes_of.x_train), bytes_of.y_train, strict=True):
        assert number // 10 == CIFAR.index(("dog", "cat")[label])
    assert load("cifar10", train=8, validation=0, test=2, classes=3).num_classes == 3


def test_quotas_add_up_and_never_exceed_a_class():
    rng = np.random.default_rng(0)
    for _ in range(200):
        sizes = rng.integers(0, 30, rng.integers(1, 12))
        number = int(rng.integers(0, sizes.sum() + 1))
        quotas = data._quotas(number, sizes)
        assert quotas.sum() == number
        assert (quotas <= sizes).all()
        assert (quotas >= 0).all()


# ------------------------------------------------------------- where it is from


def test_the_cache_comes_before_the_mirror(mirror, cache):
    np.savez(mirror / "mnist.npz", **arrays())
    np.savez(cache / "mnist.npz", **arrays())
    assert load("mnist", **SMALL).source == "cache"


def test_the_mirror_may_be_several_folders(monkeypatch, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    np.savez(tmp_path / "b" / "mnist.npz", **arrays())
    folders = [str(tmp_path / name) for name in ("a", "b")]
    monkeypatch.setenv("COURSE_DATA", os.pathsep.join(folders))
    assert load("mnist", **SMALL).source == "mirror"


def test_a_missing_mirror_folder_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"`COURSE_DATA`.*nowhere"):
        load("mnist")


def write_idx(folder, suffix="", classes=10, counts=(100, 20)):
    opened = gzip.open if suffix else open
    folder.mkdir(exist_ok=True)
    for stem, count in zip(("train", "t10k"), counts, strict=True):
        images = np.full((count, 28, 28), 7, np.uint8)
        labels = (np.arange(count) % classes).astype(np.uint8)
        with opened(folder / f"{stem}-images-idx3-ubyte{suffix}", "wb") as stream:
            stream.write(struct.pack(">4I", 0x803, count, 28, 28) + images.tobytes())
        with opened(folder / f"{stem}-labels-idx1-ubyte{suffix}", "wb") as stream:
            stream.write(struct.pack(">2I", 0x801, count) + labels.tobytes())


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("subfolder", [".", "fashion-mnist"])
def test_fashion_mnist_from_its_idx_files(mirror, suffix, subfolder):
    write_idx(mirror / subfolder, suffix)
    fashion = load("fashion_mnist", **SMALL)
    assert fashion.source == "mirror"
    assert fashion.class_names[9] == "Ankle boot"
    assert np.bincount(fashion.y_train).tolist() == [2] * 10


def test_mnist_files_do_not_pass_for_fashion_mnist(mirror):
    write_idx(mirror, counts=(103, 20))  # classes that differ in number, as in MNIST
    with pytest.raises(DataError, match="these seem to be the files of MNIST"):
        load("fashion_mnist")


@pytest.mark.parametrize("damage", [b"", b"\0\0\x08\x03", b"no idx at all, but text"])
def test_a_damaged_idx_file_is_named(mirror, damage):
    write_idx(mirror)
    (mirror / "train-images-idx3-ubyte").write_bytes(damage)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte: .*Replace it"):
        load("fashion_mnist")


def test_a_truncated_idx_archive_is_named(mirror):
    write_idx(mirror, ".gz")
    path = mirror / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz: damaged"):
        load("fashion_mnist")


# -------------------------------------------------------------------- checksums


def test_a_file_that_matches_sha256sums_is_called_verified(mirror):
    np.savez(mirror / "mnist.npz", **arrays())
    digest = hashlib.sha256((mirror / "mnist.npz").read_bytes()).hexdigest()
    (mirror / "SHA256SUMS").write_text(f"{'0' * 64}  other.zip\n{digest} *mnist.npz\n")
    assert "checksum verified" in load("mnist", **SMALL).provenance


def test_a_file_that_fails_sha256sums_is_never_used(mirror):
    path = mirror / "mnist.npz"
    np.savez(path, **arrays())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (mirror / "SHA256SUMS").write_text(f"{digest}  mnist.npz\n")
    load("mnist", **SMALL)
    np.savez(path, **arrays(train=400))  # good in itself, but not the listed file
    for _ in range(2):
        with pytest.raises(DataError, match=r"mnist\.npz: its checksum is not"):
            load("mnist", **SMALL)


# ------------------------------------------------------------- damaged and unsafe


def refused(name="cifar10", match=""):
    with pytest.raises(DataError, match=match) as caught:
        load(name, **SMALL)
    message = str(caught.value)
    assert f"{name}." in message  # the file
    assert "Replace it by a good copy, or unset COURSE_DATA" in message
    return message


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 and then nothing"])
def test_a_file_that_is_no_zip(mirror, content):
    (mirror / "cifar10.zip").write_bytes(content)
    refused(match="not a readable zip archive")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.98])
def test_a_truncated_zip(mirror, kept):
    path = write_zip(mirror / "cifar10.zip")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    refused(match="not a readable zip archive, it may be cut short")


def test_a_flipped_byte_in_an_image_is_found(mirror):
    path = write_zip(mirror / "cifar10.zip", {"train": 2, "test": 1})
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        member = archive.infolist()[0]
    content[member.header_offset + 30 + len(member.filename) + 40] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"train/airplane/0000\.png' is damaged.*CRC"):
        load("cifar10", train=20, validation=0, test=10)


def test_a_truncated_image_is_found(mirror):
    path = mirror / "cifar10.zip"
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    with zipfile.ZipFile(path, "w") as archive:
        for split in ("train", "test"):
            for name in CIFAR:
                archive.writestr(f"{split}/{name}/1.jpg", buffer.getvalue()[:-300])
    with pytest.raises(DataError, match=r"1\.jpg' cannot be decoded"):
        load("cifar10", train=10, validation=0, test=10)


@pytest.mark.parametrize(
    ("member", "says"),
    [
        ("../outside.png", "climbs out of its folder"),
        ("train/cat/../../../etc/x.png", "climbs out of its folder"),
        ("/etc/x.png", "absolute path"),
        ("C:/x.png", "absolute path"),
        ("..\\x.png", "absolute path"),
        ("train/cat/script.py", "wrong contents for cifar10"),
        ("train/cat/clip.gif", "wrong contents for cifar10"),
        ("train/unicorn/1.png", "wrong contents for cifar10"),
        ("holdout/cat/1.png", "wrong contents for cifar10"),
        ("readme.txt", "wrong contents for cifar10"),
        ("train/cat/deeper/1.png", "wrong contents for cifar10"),
    ],
)
def test_a_member_that_does_not_belong(mirror, member, says):
    write_zip(mirror / "cifar10.zip", extra=[(member, picture(0))])
    assert repr(member) in refused(match=says)


def test_a_link_in_the_archive(mirror):
    link = zipfile.ZipInfo("train/cat/link.png")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    write_zip(mirror / "cifar10.zip", extra=[(link, "/etc/passwd")])
    refused(match="is a link")


def test_a_member_that_comes_twice(mirror):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        name = "train/cat/0000.png"
        write_zip(mirror / "cifar10.zip", extra=[(name, picture(0))])
    refused(match="comes twice")


def test_an_encrypted_member(mirror):
    path = write_zip(mirror / "cifar10.zip")
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1  # the flag in the central directory
    path.write_bytes(content)
    refused(match="is encrypted")


def test_a_bomb_by_ratio_size_and_number(mirror, monkeypatch):
    path = mirror / "cifar10.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train/cat/1.png", bytes(8_000_000))
    monkeypatch.setattr(_archives, "FREE_BYTES", 1_000_000)
    refused(match="zip bomb")
    monkeypatch.setattr(_archives, "MOST_RATIO", 10**9)
    monkeypatch.setattr(_archives, "MOST_MEMBER_BYTES", 1_000_000)
    refused(match="unpacks to 8 MB")
    monkeypatch.setattr(_archives, "MOST_MEMBER_BYTES", 10**9)
    monkeypatch.setattr(_archives, "MOST_IMAGE_BYTES", 1_000_000)
    refused(match="unsafe: the image")
    write_zip(path)
    monkeypatch.setattr(_archives, "MOST_MEMBERS", 50)
    refused(match="holds 140 members, at most 50")


def test_an_image_of_another_size_or_mode(mirror):
    write_zip(mirror / "cifar10.zip", size=33)
    refused(match="is 33×33 in mode RGB, expected 32×32 in mode RGB")
    write_zip(mirror / "cifar10.zip", mode="L")
    refused(match="is 32×32 in mode L, expected 32×32 in mode RGB")


def test_a_huge_picture_is_refused_before_it_is_decoded(mirror):
    chunk = struct.pack(">2I5B", 60_000, 60_000, 8, 2, 0, 0, 0)

    def part(kind, content):
        crc = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + crc

    bomb = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", chunk) + part(b"IDAT", b"")
    with zipfile.ZipFile(mirror / "cifar10.zip", "w") as archive:
        for split in ("train", "test"):
            for name in CIFAR:
                archive.writestr(f"{split}/{name}/1.png", bomb)
    with pytest.raises(DataError, match=r"cannot be decoded|is 60000×60000"):
        load("cifar10", train=10, validation=0, test=10)


def test_an_archive_without_a_class_or_a_split(mirror):
    write_zip(mirror / "cifar10.zip", names=CIFAR[:9])
    refused(match="no train images of truck")
    write_zip(mirror / "cifar10.zip", {"train": 5})
    refused(match="no test images of airplane")
    with zipfile.ZipFile(mirror / "cifar10.zip", "w"):
        pass
    refused(match="an empty archive")


def change(**changes):
    content = arrays()
    for name, value in changes.items():
        if value is None:
            del content[name]
        else:
            content[name] = value
    return content


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (change(x_test=None), "expected the arrays x_train"),
        (change(weights=np.zeros(3, np.uint8)), "expected the arrays x_train"),
        (change(x_validation=np.zeros((2, 28, 28), np.uint8)), "no y_validation"),
        (change(x_train=np.zeros((300, 28, 28))), "type float64"),
        (change(x_train=np.zeros((300, 32, 32), np.uint8)), "expected uint8 images of"),
        (change(x_train=np.zeros((300, 784), np.uint8)), "expected uint8 images of"),
        (change(x_train=np.zeros((0, 28, 28), np.uint8)), "labels have shape"),
        (change(y_train=np.zeros(299, np.uint8)), "expected 300 whole numbers"),
        (change(y_train=np.full(300, 10, np.uint8)), "labels run from 10 to 10"),
        (change(y_train=np.full(300, -1)), "labels run from -1"),
        (change(y_train=np.zeros(300, np.uint8)), "no train images of 1, 2"),
        (change(y_train=np.full(300, np.nan)), "expected whole numbers"),
    ],
)
def test_an_npz_with_wrong_contents(mirror, content, says):
    np.savez(mirror / "mnist.npz", **content)
    refused("mnist", match=says)


def test_an_npz_with_pickles_is_never_opened(mirror, tmp_path):
    class Hostile:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "owned"),))

    hostile = np.array([Hostile()], dtype=object)
    np.savez(mirror / "mnist.npz", **change(y_train=hostile))
    refused("mnist", match="expected whole numbers")
    assert not (tmp_path / "owned").exists()


def test_an_npz_whose_header_lies_takes_no_memory(mirror):
    np.savez(mirror / "mnist.npz", **arrays())
    with zipfile.ZipFile(mirror / "mnist.npz") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    lie = parts["x_train.npy"].replace(
        b"(300, 28, 28), }      ", b"(3000000000, 28, 28), }"
    )
    parts["x_train.npy"] = lie.replace(b"(300, 28", b"(900, 28")
    with zipfile.ZipFile(mirror / "mnist.npz", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    refused("mnist", match=r"x_train.npy is damaged: its header asks for")


def test_a_damaged_npz_in_the_cache_says_to_delete_it(cache):
    (cache / "mnist.npz").write_bytes(b"half a file")
    with pytest.raises(DataError, match=r"mnist\.npz: .* Delete this file"):
        load("mnist")


# --------------------------------------------------------- stand-in and offline


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("mnist", (28, 28, 1), 10),
        ("fashion_mnist", (28, 28, 1), 10),
        ("cifar10", (32, 32, 3), 10),
        ("cats_vs_dogs", (180, 180, 3), 2),
    ],
)
def test_the_stand_in_has_the_same_shape_and_says_so(name, shape, classes, capsys):
    dataset = load(name, **SMALL)
    assert dataset.source == "stand-in"
    assert dataset.x_train.shape == (20, *shape)
    assert dataset.num_classes == classes
    assert dataset.class_names == shapes.KINDS[:classes]  # not "cat" or "7"
    shown = capsys.readouterr().out
    title = data._SPECS[name].title
    assert f"Stand-in data: this is not {title}" in shown
    assert "no answer from" in shown
    assert "rendered shapes" in dataset.provenance


def test_the_stand_in_keeps_the_real_limits_and_classes():
    with pytest.raises(ValueError, match="`train`: expected at most 45,000 images"):
        load("cifar10", train=45_001, validation=5000)
    pair = load("cifar10", **SMALL, classes=["cat", "dog"], image_size=8)
    assert pair.class_names == (shapes.KINDS[3], shapes.KINDS[5])
    assert pair.image_shape == (8, 8, 3)


def test_the_box_is_html_in_a_notebook(monkeypatch):
    shown = []
    shell = types.SimpleNamespace(kernel=object())
    module = types.ModuleType("IPython")
    module.get_ipython = lambda: shell
    display = types.ModuleType("IPython.display")
    display.display = lambda bundle, raw: shown.append(bundle)
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(
        data, "_reachable", lambda host: (_ for _ in ()).throw(_Odd("<b>&"))
    )
    monkeypatch.setattr(data, "_DownloadFailed", _Odd)
    load("mnist", **SMALL)
    (bundle,) = shown
    assert 'role="note"' in bundle["text/html"]
    assert "<b>&" not in bundle["text/html"]  # escaped
    assert "this is not MNIST" in bundle["text/plain"]


class _Odd(Exception):
    """A failure whose text would break a page."""


def test_offline_1_never_tries_the_network(monkeypatch):
    monkeypatch.setenv("COURSE_OFFLINE", "1")

    def refuse(*arguments):
        raise AssertionError("tried to download")

    monkeypatch.setattr(data, "_fetch", refuse)
    assert load("mnist", **SMALL).source == "stand-in"


def test_offline_error_makes_the_stand_in_an_error(monkeypatch, capsys):
    monkeypatch.setenv("COURSE_OFFLINE", "error")
    with pytest.raises(DataUnavailable) as caught:
        load("cifar10", **SMALL)
    message = str(caught.value)
    assert "CIFAR-10 cannot be had" in message
    assert (
        "set COURSE_DATA to a folder that holds cifar10.zip or cifar10.npz" in message
    )
    assert capsys.readouterr().out == ""


def test_offline_takes_no_other_value(monkeypatch):
    monkeypatch.setenv("COURSE_OFFLINE", "maybe")
    with pytest.raises(ValueError, match="`COURSE_OFFLINE`: expected one of '1'"):
        load("mnist")


def test_a_host_that_does_not_answer_is_asked_once(monkeypatch):
    asked = []

    def never(address, timeout):
        asked.append((address, timeout))
        raise TimeoutError

    monkeypatch.setattr(data, "_answers", {})
    monkeypatch.setattr(socket, "create_connection", never)
    monkeypatch.setattr(data.urllib.request, "getproxies", dict)
    assert not REACHABLE("example.invalid")
    assert not REACHABLE("example.invalid")
    assert asked == [(("example.invalid", 443), data.CONNECT_SECONDS)]


def test_a_name_lookup_that_hangs_does_not_hang_the_course(monkeypatch):
    gate = threading.Event()

    def hang(address, timeout):
        gate.wait(30)
        raise OSError

    monkeypatch.setattr(data, "_answers", {})
    monkeypatch.setattr(data, "CONNECT_SECONDS", -0.9)
    monkeypatch.setattr(socket, "create_connection", hang)
    monkeypatch.setattr(data.urllib.request, "getproxies", dict)
    try:
        assert not REACHABLE("example.invalid")
    finally:
        gate.set()


def test_a_proxy_is_asked_in_place_of_the_host(monkeypatch):
    asked = []
    monkeypatch.setattr(data, "_answers", {})
    monkeypatch.setattr(
        data.urllib.request, "getproxies", lambda: {"https": "http://proxy:3128"}
    )
    monkeypatch.setattr(data.urllib.request, "proxy_bypass", lambda host: False)

    def connect(address, timeout):
        asked.append(address)
        return io.BytesIO()

    monkeypatch.setattr(socket, "create_connection", connect)
    assert REACHABLE("example.org")
    assert asked == [("proxy", 3128)]


# ------------------------------------------------------------------- downloads


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_mnist_is_downloaded_once_and_then_cached(monkeypatch, tmp_path):
    calls = []

    def fetch(url, digest, folder):
        calls.append((url, len(digest)))
        np.savez(folder / "mnist.npz", **arrays())
        return folder / "mnist.npz"

    monkeypatch.setattr(data, "_fetch", fetch)
    assert load("mnist", **SMALL).source == "download"
    assert load("mnist", **SMALL).source == "cache"
    assert len(calls) == 1
    assert leftovers(tmp_path / "cache") == ["mnist.npz"]


def test_fashion_mnist_is_downloaded_as_four_verified_files(monkeypatch, tmp_path):
    digests = []

    def fetch(url, digest, folder):
        digests.append(digest)
        write_idx(folder, ".gz")

    monkeypatch.setattr(data, "_fetch", fetch)
    assert load("fashion_mnist", **SMALL).source == "download"
    assert len(set(digests)) == 4
    assert leftovers(tmp_path / "cache") == ["fashion_mnist.npz"]


def cifar_records(count, offset):
    labels = (np.arange(count) % 10).astype(np.uint8)
    planes = np.zeros((count, 3, 1024), np.uint8)
    planes[:, 0] = offset + np.arange(count)[:, None]
    planes[:, 1] = 50
    planes[:, 2, :32] = 99  # the blue of the top row
    return np.concatenate([labels[:, None], planes.reshape(count, -1)], axis=1)


def write_cifar_tar(path, batches=5):
    with tarfile.open(path, "w:gz") as archive:
        for name in [f"data_batch_{k + 1}" for k in range(batches)] + ["test_batch"]:
            content = cifar_records(20, 0).tobytes()
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_cifar10_is_read_from_its_binary_records(monkeypatch, tmp_path):
    monkeypatch.setattr(
        data, "_fetch", lambda url, digest, folder: write_cifar_tar(folder / "c.tar.gz")
    )
    cifar = load("cifar10", train=50, validation=50, test=20, dtype="uint8")
    assert cifar.source == "download"
    assert len(cifar.x_train) == 50
    for image, label in zip(cifar.x_test, cifar.y_test, strict=True):
        assert image[5, 5, 0] % 10 == label
        assert image[5, 5, 1] == 50
        assert image[0, 5, 2] == 99  # rows and columns are not mixed up
        assert image[1, 5, 2] == 0
    assert leftovers(tmp_path / "cache") == ["cifar10.npz"]


def test_a_damaged_cifar10_archive_leaves_nothing(monkeypatch, tmp_path):
    def fetch(url, digest, folder):
        path = write_cifar_tar(folder / "c.tar.gz")
        path.write_bytes(path.read_bytes()[:200])
        return path

    monkeypatch.setattr(data, "_fetch", fetch)
    with pytest.raises(DataError, match=r"c\.tar\.gz"):
        load("cifar10", **SMALL)
    assert leftovers(tmp_path / "cache") == []


def photograph(value, size=(60, 40), kind="JPEG"):
    buffer = io.BytesIO()
    Image.new("RGB", size, (value, 80, 80)).save(buffer, kind)
    return buffer.getvalue()


def test_microsofts_archive_becomes_the_small_zip(tmp_path):
    path = tmp_path / "pets.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme[1].txt", "hello")
        for name in ("Cat", "Dog"):
            for number in (10, 9, 2, 1, 0, 3, 4, 5):  # sorted as numbers, not as text
                archive.writestr(
                    f"PetImages/{name}/{number}.jpg", photograph(number * 20)
                )
            archive.writestr(f"PetImages/{name}/6.jpg", b"")
            archive.writestr(f"PetImages/{name}/7.jpg", photograph(0, kind="PNG"))
            archive.writestr(f"PetImages/{name}/8.jpg", photograph(160)[:50])
            archive.writestr(f"PetImages/{name}/Thumbs.db", b"junk")
    layout = data._SPECS["cats_vs_dogs"].layout
    sizes = (("train", 4), ("validation", 2), ("test", 2))
    file = _archives.File(path, "")
    made = data._shrink_pets(file, layout, tmp_path / "cats_vs_dogs.zip", sizes)
    with zipfile.ZipFile(made) as archive:
        names = archive.namelist()
    assert [name for name in names if "/cat/" in name] == [
        "train/cat/00000.jpg",
        "train/cat/00001.jpg",
        "train/cat/00002.jpg",
        "train/cat/00003.jpg",
        "validation/cat/00004.jpg",
        "validation/cat/00005.jpg",
        "test/cat/00009.jpg",
        "test/cat/00010.jpg",
    ]
    again = data._shrink_pets(file, layout, tmp_path / "again.zip", sizes)
    assert again.read_bytes() == made.read_bytes()
    reader = _archives.ImageZip(_archives.File(made, ""), layout)
    images = reader.read("train", np.arange(8), 180)
    assert images.shape == (8, 180, 180, 3)
    assert np.abs(images[:4, 90, 90, 0] - np.array([0, 20, 40, 60])).max() < 6
    many = (("train", 4), ("validation", 4), ("test", 5))
    with pytest.raises(DataError, match="only 0 of 5 test photographs of class cat"):
        data._shrink_pets(file, layout, tmp_path / "more.zip", many)


@pytest.mark.parametrize("failure", [OSError("no route"), KeyboardInterrupt()])
def test_a_download_that_breaks_off_leaves_nothing(monkeypatch, tmp_path, failure):
    def fetch(url, digest, folder):
        (folder / "mnist.npz").write_bytes(b"half a fi")
        if isinstance(failure, OSError):
            raise data._DownloadFailed(str(failure))
        raise failure

    monkeypatch.setattr(data, "_fetch", fetch)
    if isinstance(failure, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            load("mnist", **SMALL)
    else:
        dataset = load("mnist", **SMALL)
        assert dataset.source == "stand-in"
        assert "no route" in dataset.provenance
    assert leftovers(tmp_path / "cache") == []


@pytest.fixture
def served(monkeypatch):
    """Serve one file on this machine; each download of the course goes there."""
    answer = {"content": b"", "announced": 0}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(answer["announced"]))
            self.end_headers()
            self.wfile.write(answer["content"])

        def log_message(self, *arguments):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/mnist.npz"
    monkeypatch.setattr(socket, "create_connection", CONNECT)
    monkeypatch.setattr(data, "_reachable", lambda host: True)
    # Without this, a proxy of the machine would be asked for its own address.
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(
        data,
        "_fetch",
        lambda url, digest, folder: FETCH(address, answer["digest"], folder),
    )
    yield answer
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("damage", ["none", "wrong", "cut short"])
def test_keras_own_download_is_kept_only_if_it_is_whole(served, tmp_path, damage):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays())
    good = buffer.getvalue()
    served["digest"] = hashlib.sha256(good).hexdigest()
    served["announced"] = len(good)
    served["content"] = {
        "none": good,
        "wrong": good[:-1] + bytes([good[-1] ^ 1]),
        "cut short": good[: len(good) // 2],
    }[damage]
    dataset = load("mnist", **SMALL)
    if damage == "none":
        assert dataset.source == "download"
        assert leftovers(tmp_path / "cache") == ["mnist.npz"]
    else:
        assert dataset.source == "stand-in"
        assert "127.0.0.1" in dataset.provenance
        assert leftovers(tmp_path / "cache") == []


def test_keras_get_file_is_called_with_a_checksum_and_a_time_limit(
    monkeypatch, tmp_path
):
    seen = {}

    def get_file(name, **options):
        seen.update(options, name=name, limit=socket.getdefaulttimeout())
        return str(tmp_path / name)

    keras = types.ModuleType("keras")
    keras.utils = types.SimpleNamespace(get_file=get_file)
    monkeypatch.setitem(sys.modules, "keras", keras)
    monkeypatch.setattr(data, "_reachable", lambda host: True)
    before = socket.getdefaulttimeout()
    path = data._fetch("https://example.org/a/b.bin", "ab" * 16, tmp_path)
    assert path == tmp_path / "b.bin"
    assert seen["hash_algorithm"] == "md5"
    assert seen["file_hash"] == "ab" * 16
    assert seen["cache_dir"] == str(tmp_path)
    assert 0 < seen["limit"] < 60
    assert socket.getdefaulttimeout() == before

    def broken(name, **options):
        raise Exception("URL fetch failure")

    keras.utils.get_file = broken
    with pytest.raises(data._DownloadFailed, match="URL fetch failure"):
        data._fetch("https://example.org/a/b.bin", "ab" * 32, tmp_path)
    assert socket.getdefaulttimeout() == before


def test_two_at_once_do_not_break_one_another(monkeypatch, tmp_path):
    gate = threading.Barrier(2, timeout=20)

    def fetch(url, digest, folder):
        gate.wait()
        np.savez(folder / "mnist.npz", **arrays())
        gate.wait()
        return folder / "mnist.npz"

    monkeypatch.setattr(data, "_fetch", fetch)
    results = []
    spec = data._SPECS["mnist"]
    threads = [
        threading.Thread(target=lambda: results.append(data._download(spec)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    assert leftovers(tmp_path / "cache") == ["mnist.npz"]
    assert load("mnist", **SMALL).source == "cache"


def test_old_leftovers_of_killed_processes_are_swept(monkeypatch, cache):
    for name, age in (("old", 2 * 86_400), ("new", 0)):
        folder = cache / f".partial-{name}"
        folder.mkdir()
        when = data.time.time() - age
        os.utime(folder, (when, when))
    data._sweep(cache)
    assert leftovers(cache) == [".partial-new"]


def test_a_cache_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match="Set COURSE_CACHE to a folder"):
        load("mnist")


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_the_cache_folder_follows_the_platform(monkeypatch, platform):
    monkeypatch.delenv("COURSE_CACHE")
    monkeypatch.setattr(sys, "platform", platform)
    folder = data.cache_folder()
    assert folder.name == "modern-convnets"
    assert folder.is_absolute()


# ------------------------------------------------------------------ shapes, memory


def test_shapes_are_rendered_with_disjoint_splits():
    dataset = load("shapes", train=10, validation=10, test=10, dtype="uint8")
    assert dataset.source == "rendered"
    assert dataset.x_train.shape == (10, 64, 64, 3)
    assert np.array_equal(dataset.x_train, shapes.render(10)[0])
    assert not np.array_equal(dataset.x_train, dataset.x_validation)
    assert not np.array_equal(dataset.x_validation, dataset.x_test)
    pair = load("shapes", train=4, validation=0, test=2, classes=2, image_size=16)
    assert pair.class_names == shapes.KINDS[:2]
    assert pair.x_validation.shape == (0, 16, 16, 3)


def test_too_large_a_request_says_how_much_and_what_to_lower(mirror, monkeypatch):
    np.savez(mirror / "mnist.npz", **arrays())
    with pytest.raises(ValueError, match="`train`: expected a request of") as caught:
        load("mnist", train=200, validation=10, test=10, max_gigabytes=0.0005)
    message = str(caught.value)
    assert "at most 0.0005 GB" in message
    assert "220 images of 28×28×1, float32" in message
    assert "lower `train=` (now 200)" in message
    monkeypatch.setenv("COURSE_MEMORY_GB", "0.0005")
    with pytest.raises(ValueError, match=r"lower `test=` \(now 100\)"):
        load("mnist", train=90, validation=10, test=100, image_size=64)
    load("mnist", train=200, validation=10, test=10, dtype="uint8")
    monkeypatch.setenv("COURSE_MEMORY_GB", "plenty")
    with pytest.raises(ValueError, match="`COURSE_MEMORY_GB`: expected a number"):
        load("mnist")
    with pytest.raises(ValueError, match=r"of 4\.92 GB"):
        load("shapes", train=100_000, validation=0, test=0, max_gigabytes=2)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"name": "cifar"}, ValueError, "did you mean 'cifar10'"),
        ({"name": ""}, ValueError, "`name`"),
        ({"name": None}, TypeError, "`name`"),
        ({"name": np.zeros(3)}, TypeError, "`name`"),
        ({"train": 0}, ValueError, "`train`: expected an integer of at least 1"),
        ({"train": -5}, ValueError, "`train`"),
        ({"train": 2.5}, TypeError, "`train`"),
        ({"train": float("nan")}, TypeError, "`train`"),
        ({"train": True}, TypeError, "`train`"),
        ({"train": 10**9}, ValueError, "`train`: expected at most"),
        ({"train": 260, "validation": 50}, ValueError, "besides 50 for validation"),
        ({"validation": 300}, ValueError, "`validation`: expected at most 299"),
        ({"validation": -1}, ValueError, "`validation`"),
        ({"test": 101}, ValueError, "`test`: expected at most 100"),
        ({"test": "all"}, TypeError, "`test`"),
        ({"image_size": 7}, ValueError, "`image_size`"),
        ({"image_size": 513}, ValueError, "`image_size`"),
        ({"image_size": (28, 28)}, TypeError, "`image_size`"),
        ({"classes": ["1", "ten"]}, ValueError, "`classes`"),
        ({"classes": []}, ValueError, "`classes`"),
        ({"classes": 11}, ValueError, "`classes`"),
        ({"classes": "1"}, TypeError, "`classes`"),
        ({"classes": ["1"], "train": 31}, ValueError, "in these classes"),
        ({"seed": -1}, ValueError, "`seed`"),
        ({"seed": "0"}, TypeError, "`seed`"),
        ({"dtype": "float64"}, ValueError, "`dtype`"),
        ({"dtype": np.float32}, TypeError, "`dtype`"),
        ({"max_gigabytes": 0}, ValueError, "`max_gigabytes`"),
        ({"max_gigabytes": float("nan")}, ValueError, "`max_gigabytes`"),
        ({"max_gigabytes": "2"}, TypeError, "`max_gigabytes`"),
    ],
)
def test_bad_arguments_are_named(mirror, arguments, error, says):
    np.savez(mirror / "mnist.npz", **arrays())
    with pytest.raises(error) as caught:
        load(**{"name": "mnist", **arguments})
    assert says in str(caught.value)
    assert "got" in str(caught.value)


REAL = os.environ.get("COURSE_DATA")


@pytest.mark.skipif(not REAL, reason="COURSE_DATA is not set: no real data here")
@pytest.mark.parametrize(
    ("name", "shape"), [("mnist", (28, 28, 1)), ("cats_vs_dogs", (180, 180, 3))]
)
def test_the_real_mirror_is_read(monkeypatch, name, shape):
    monkeypatch.setenv("COURSE_DATA", REAL)
    dataset = load(name, train=20, validation=10, test=10)
    assert dataset.source == "mirror"
    assert dataset.x_train.shape == (20, *shape)
    assert 0.05 < dataset.x_train.std() < 0.5
