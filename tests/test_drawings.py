"""Drawings say what the model says, fit their boxes, and need no script."""

import itertools
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from course_utils import (
    _graph,
    _stepped,
    _structure,
    blocks,
    drawings,
    nets,
    pretrained,
)

SVG = "{http://www.w3.org/2000/svg}"
WORDS = {"title": "A network", "alt": "Boxes with arrows."}


def block(**settings):
    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(32, 3)(inputs)
    return keras.Model(inputs, blocks.residual_block(x, 64, **settings))


def grouped(groups=4):
    inputs = keras.Input((16, 16, 8))
    width = 8 // groups
    paths = [
        layers.Conv2D(4, 3)(inputs[..., width * k : width * (k + 1)])
        for k in range(groups)
    ]
    return keras.Model(inputs, layers.Concatenate()(paths))


def inception():
    inputs = keras.Input((16, 16, 8))
    paths = [layers.Conv2D(8, k, padding="same")(inputs) for k in (1, 3, 5)]
    paths.append(layers.Conv2D(8, 1)(layers.MaxPooling2D(3, 1, "same")(inputs)))
    return keras.Model(inputs, layers.Concatenate()(paths))


def densely_connected():
    inputs = keras.Input((16, 16, 8))
    first = layers.Conv2D(8, 3, padding="same")(inputs)
    both = layers.Concatenate()([inputs, first])
    second = layers.Conv2D(8, 3, padding="same")(both)
    every = layers.Concatenate()([inputs, first, second])
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(every))


def two_inputs():
    left, right = keras.Input((4,)), keras.Input((4,))
    both = layers.Concatenate()([layers.Dense(3)(left), layers.Dense(3)(right)])
    return keras.Model([left, right], [layers.Dense(1)(both), layers.Dense(2)(both)])


NETS = {
    "block": block,
    "pooled block": lambda: block(pooling=True),
    "grouped": grouped,
    "inception": inception,
    "densely connected": densely_connected,
    "two inputs": two_inputs,
    "plain_convnet": nets.plain_convnet,
    "mini_xception": lambda: nets.mini_xception(augmentation=nets.augmentation()),
    "cifar_resnet": nets.cifar_resnet,
    "resnet50": nets.resnet50,
    "fast_resnet": nets.fast_resnet,
    "enlarged_xception": nets.enlarged_xception,
    "efficientnet_lite0": pretrained.efficientnet_lite0,
}


@pytest.fixture(scope="module")
def models():
    return {name: make() for name, make in NETS.items()}


def parameters(items):
    """Add up the parameters that a structure shows, repetitions included."""
    total = 0
    for item in items:
        if isinstance(item, _structure.Box):
            total += item.parameters
        elif isinstance(item, _structure.Repeat):
            total += item.times * parameters(item.items)
        elif isinstance(item, _structure.Fork):
            total += item.alike * sum(map(parameters, item.paths))
        else:
            total += parameters(item.boxes)
    return total


@pytest.mark.parametrize("merge", [True, False])
@pytest.mark.parametrize("name", NETS)
def test_the_boxes_hold_all_parameters(models, name, merge):
    model = models[name]
    items = _structure.structure(_graph.follow(model, nested=False), merge=merge)
    assert parameters(items) == model.count_params()


@pytest.mark.parametrize("name", NETS)
def test_every_shape_of_the_model_is_on_its_drawing(models, name):
    model = models[name]
    text = drawings.architecture(model, merge=False, **WORDS).text
    steps = _graph.follow(model, nested=False).steps
    for step in steps:
        assert _structure.shape_words(step.output_shapes[0][1:]) in text
    # One line a layer, one an input, and those that say how paths run.
    lines = re.findall(r": [\d,?×]+(?: ·|;|$)", text, re.M)
    assert len(lines) == len(steps) + len(model.inputs)


def test_shapes_and_parameters_of_the_pooled_block():
    text = drawings.architecture(block(pooling=True), **WORDS).text
    assert text.splitlines() == [
        "A network",
        "",
        "Input: 32×32×3",
        "Conv 3×3, 32 filters: 30×30×32 · 896 parameters",
        "2 paths side by side:",
        "  path 1:",
        "    Conv 3×3, 64 filters → ReLU: 30×30×64 · 18,496 parameters",
        "    Conv 3×3, 64 filters: 30×30×64 · 36,928 parameters",
        "    Max pooling 2×2: 15×15×64",
        "  path 2:",
        "    Conv 1×1, 64 filters, stride 2: 15×15×64 · 2,112 parameters",
        "Add → ReLU: 15×15×64",
        "",
        "In total 58,432 parameters.",
    ]


def test_a_shortcut_without_layers_is_a_path_of_its_own():
    inputs = keras.Input((8, 8, 4))
    model = keras.Model(inputs, blocks.residual_block(inputs, 4))
    text = drawings.architecture(model, **WORDS).text
    assert "  path 2: nothing (the shortcut)" in text


def test_a_relu_that_is_cut_off_says_where(models):
    text = drawings.architecture(models["efficientnet_lite0"], **WORDS).text
    assert "Depthwise conv 5×5, stride 2 → batch norm → ReLU6: 28×28×144" in text


def test_blocks_that_repeat_are_drawn_once(models):
    text = drawings.architecture(models["resnet50"], **WORDS).text
    assert re.findall(r"(\d) times:", text) == ["2", "3", "5", "2"]
    assert "of which 25,583,592 are trained" in text


def test_paths_that_are_alike_are_drawn_once(models):
    text = drawings.architecture(models["grouped"], **WORDS).text
    assert "4 paths side by side:" in text
    assert text.count("Conv 3×3") == 1


def test_paths_that_cross_are_drawn_in_a_column(models):
    text = drawings.architecture(models["densely connected"], **WORDS).text
    assert "(3) Conv 3×3, 8 filters: 16×16×8 · 1,160 parameters; reads (2)" in text
    assert "what follows reads (1), (3)" in text


def test_merging_puts_normalization_and_activation_into_the_box():
    model = block(normalization=True)
    merged = drawings.architecture(model, **WORDS).text
    assert "Conv 3×3, 64 filters → batch norm → ReLU: 30×30×64 · 18,688" in merged
    single = drawings.architecture(model, merge=False, **WORDS).text
    assert "Batch norm: 30×30×64 · 256 parameters" in single


def test_normalization_before_the_convolution_stays_with_it():
    text = drawings.architecture(nets.mini_xception(), **WORDS).text
    expected = "Batch norm → ReLU → separable conv 3×3, 64 filters: 88×88×64 · 2,464"
    assert expected in text


def test_a_model_inside_is_one_box_or_opened():
    base = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3)], name="base")
    outer = keras.Sequential([keras.Input((8, 8, 3)), base, layers.Flatten()])
    closed = drawings.architecture(outer, **WORDS).text
    assert "Model base: 6×6×4 · 112 parameters" in closed
    opened = drawings.architecture(outer, nested=True, **WORDS).text
    assert "Conv 3×3, 4 filters: 6×6×4 · 112 parameters" in opened


def test_open_sides_and_one_of_a_kind_in_words():
    inputs = keras.Input((None, None, 1))
    x = layers.Conv2D(1, 3, strides=2, dilation_rate=1)(inputs)
    x = layers.DepthwiseConv2D(3, dilation_rate=2, depth_multiplier=3)(x)
    x = layers.Conv2D(6, 3, groups=3)(x)
    model = keras.Model(inputs, layers.Dense(1)(layers.GlobalMaxPooling2D()(x)))
    text = drawings.architecture(model, **WORDS).text
    assert "Input: ?×?×1" in text
    assert "Conv 3×3, 1 filter, stride 2: ?×?×1" in text
    assert "Depthwise conv 3×3, 3 for each channel, dilation 2" in text
    assert "Conv 3×3, 6 filters, 3 groups" in text
    assert "Global max pooling: 6" in text
    assert "Dense, 1 unit: 1 · 7 parameters" in text


# ------------------------------------------------------------------ what is shown


def drawn(drawing):
    """Return the drawing's HTML as a tree; it is written as XML."""
    page = drawing._repr_html_().replace(" checked ", ' checked="checked" ')
    page = re.sub(r" checked>", ' checked="checked">', page)
    page = re.sub(r"(<input[^>]*)>", r"\1/>", page)
    return ElementTree.fromstring(page)


STEPPED = {
    "convolution": drawings.convolution_steps,
    "strided": lambda: drawings.convolution_steps(5, 3, 2, "same"),
    "large": lambda: drawings.convolution_steps(8, 5, 1, "same"),
    "small": lambda: drawings.convolution_steps(2, 1, 4),
    "separable": drawings.separable_steps,
    "separable 5 to 3": lambda: drawings.separable_steps(5, 3, 3),
    "separable 6 to 6": lambda: drawings.separable_steps(6, 6, 4),
}


EXPLORED = {
    "sizes": drawings.output_sizes,
    "widest sizes": lambda: drawings.output_sizes(12, range(1, 13), range(1, 7)),
    "one size": lambda: drawings.output_sizes(2, [2], [1]),
}


@pytest.fixture(scope="module")
def figures(models):
    return {
        **{n: drawings.architecture(m, **WORDS) for n, m in models.items()},
        **{name: make() for name, make in (STEPPED | EXPLORED).items()},
    }


@pytest.mark.parametrize("name", [*NETS, *STEPPED, *EXPLORED])
def test_every_picture_has_a_name_and_a_description(figures, name):
    pictures = list(drawn(figures[name]).iter(f"{SVG}svg"))
    assert pictures
    for picture in pictures:
        assert picture.get("role") == "img"
        title, description = picture.find(f"{SVG}title"), picture.find(f"{SVG}desc")
        assert picture.get("aria-labelledby") == title.get("id")
        assert picture.get("aria-describedby") == description.get("id")
        assert title.text
        assert description.text


@pytest.mark.parametrize("name", [*NETS, *STEPPED, *EXPLORED])
def test_texts_stay_inside_their_boxes_and_the_picture(figures, name):
    from matplotlib import font_manager
    from PIL import ImageFont

    path = font_manager.findfont("DejaVu Sans:bold")  # wider than what readers have
    bold = ImageFont.truetype(path, 100)
    path = font_manager.findfont("DejaVu Sans")
    regular = ImageFont.truetype(path, 100)
    fonts = {
        "cd-words": (bold, 14),
        "cd-facts": (regular, 13),
        "cd-number": (regular, 13),
        "cd-long": (regular, 11),
        "cd-caption": (bold, 13),
        "cd-times": (bold, 13),
    }
    for picture in drawn(figures[name]).iter(f"{SVG}svg"):
        width, height = map(float, picture.get("viewBox").split()[2:])
        boxes = []
        for rect in picture.iter(f"{SVG}rect"):
            x, y, w, h = (float(rect.get(k)) for k in ("x", "y", "width", "height"))
            assert min(x, y) >= 0
            assert x + w <= width
            assert y + h <= height
            boxes.append((x, y, w, h))
        for text in picture.iter(f"{SVG}text"):
            font, size = fonts.get(text.get("class"), (regular, 13))
            length = font.getlength(text.text) * size / 100
            x, y = float(text.get("x")), float(text.get("y"))
            left = x - (length / 2 if text.get("text-anchor") == "middle" else 0)
            assert left >= 0, text.text
            assert left + length <= width, text.text
            if text.get("class") in ("cd-words", "cd-facts", "cd-number", "cd-long"):
                around = [
                    w for bx, by, w, h in boxes if bx <= x <= bx + w and by < y < by + h
                ]
                assert length <= min(around), text.text


@pytest.mark.parametrize("name", [*NETS, *STEPPED, *EXPLORED])
def test_a_drawing_needs_no_script_and_no_other_host(figures, name):
    page = figures[name]._repr_html_()
    page = page.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"<script|\bon\w+=|https?:|url\(|@import|javascript", page)


@pytest.mark.parametrize(
    ("name", "settings"), [("block", 0), ("strided", 1), ("sizes", 3)]
)
def test_a_drawing_that_comes_twice_shares_no_name(figures, name, settings):
    page = figures[name]._repr_html_() + figures[name]._repr_html_()
    names = re.findall(r'\bid="([^"]+)"', page)
    assert len(names) == len(set(names))
    groups = set(re.findall(r'<input type="radio" name="([^"]+)"', page))
    assert len(groups) == 2 * settings


def test_html_in_the_words_stays_words():
    page = drawings.architecture(block(), title="<b>&", alt='"<i>"')._repr_html_()
    assert "<b>" not in page
    assert "<i>" not in page


@pytest.mark.parametrize("name", STEPPED)
def test_each_step_can_be_chosen_by_keyboard_and_has_words(figures, name):
    tree = drawn(figures[name])
    style = tree.find("style").text
    inputs = list(tree.iter("input"))
    panels = [node for node in tree.iter("div") if node.get("class") == "cd-panel"]
    assert len(inputs) == len(panels) > 1
    assert [node.get("checked") for node in inputs] == ["checked"] + [None] * (
        len(inputs) - 1
    )
    for number, (radio, panel) in enumerate(zip(inputs, panels, strict=True), 1):
        assert radio.get("type") == "radio"  # the arrow keys move among these
        assert radio.get("aria-label").startswith(f"Step {number} of {len(inputs)}: ")
        assert panel.find("p").text
        rule = f"#{radio.get('id')}:checked~.cd-panels>:nth-child({number})"
        assert rule in style
        targets = [label.get("for") for label in panel.iter("label")]
        near = [inputs[k] for k in (number - 2, number) if 0 <= k < len(inputs)]
        assert targets == [node.get("id") for node in near]
    assert ":focus-visible" in style
    # What moves does so only for readers who have not asked for less.
    before, moving = style.split("@media (prefers-reduced-motion:no-preference)")
    assert "animation" not in before
    assert "animation" in moving


@pytest.mark.parametrize("name", EXPLORED)
def test_each_setting_can_be_chosen_and_each_choice_has_its_picture(figures, name):
    tree = drawn(figures[name])
    style = tree.find("style").text
    groups = tree.findall("fieldset")
    assert [group.find("legend").text for group in groups] == [
        "Window",
        "Stride",
        "Padding",
    ]
    for group in groups:
        radios = group.findall("input")
        assert [radio.get("checked") for radio in radios].count("checked") == 1
        labels = [(label.get("for"), label.text) for label in group.findall("label")]
        assert [target for target, _ in labels] == [r.get("id") for r in radios]
        assert all(words for _, words in labels)
    panels = [node for node in tree.iter("div") if node.get("class") == "cd-panel"]
    rows = tree.findall(".//tbody/tr")
    assert len(panels) == len(rows)
    choices = itertools.product(*(group.findall("input") for group in groups))
    for number, choice in enumerate(choices, start=1):
        picked = "".join(f":has(#{radio.get('id')}:checked)" for radio in choice)
        assert f"{picked} .cd-panels>:nth-child({number}){{display:block}}" in style
        places = re.search(r"= (\d+) place", panels[number - 1].find("p").text)[1]
        assert rows[number - 1].findall("td")[-1].text == places
    assert number == len(panels)
    assert ":focus-visible" in style


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
def test_the_sizes_that_can_be_explored_are_those_of_the_layer(kernel_size):
    image = keras.Input((8, 8, 1))
    lines = drawings.output_sizes().text.splitlines()[3:]
    found = 0
    for line in lines:
        window, strides, padding, *_, output = line.split("  ")
        if int(window) == kernel_size:
            layer = layers.Conv2D(1, kernel_size, int(strides), padding)
            assert layer(image).shape[1] == int(output), line
            found += 1
    assert found == 6


def test_text_and_ground_contrast_in_both_modes():
    sheet = Path(__file__).parents[1] / "book" / "static" / "course.css"
    css = sheet.read_text(encoding="utf-8")
    style = drawings.convolution_steps()._repr_html_()
    fallback = dict(re.findall(r"var\((--course-[a-z-]+),(#[0-9a-f]{6})\)", style))
    assert len(fallback) > 5
    modes = [fallback]
    for mode in ("light", "dark"):
        rules = css.split(f'html[data-theme="{mode}"] {{', 1)[1].split("}", 1)[0]
        modes.append(dict(re.findall(r"(--course-[a-z-]+): (#[0-9a-f]{6});", rules)))
        assert set(fallback) <= set(modes[-1])  # no mode is half another
    for colors in modes:
        ink = colors["--course-ink"]
        for ground in ("drawing", "card", "map-fill", "exercise"):
            assert contrast(ink, colors[f"--course-{ground}"]) >= 4.5
        ground = colors["--course-drawing"]
        assert contrast(colors["--course-map-edge"], ground) >= 4.5  # a chosen button
        for line in ("line", "accent", "map-edge"):
            assert contrast(colors[f"--course-{line}"], ground) >= 3


def contrast(one, other):
    def light(color):
        parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


# ------------------------------------------------------------------- the numbers


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("size", "kernel", "strides"),
    [(5, 3, 1), (5, 3, 2), (6, 3, 2), (7, 4, 3), (4, 1, 2), (8, 5, 4)],
)
def test_the_convolution_is_the_layers(size, kernel, strides, padding):
    padded, weights, output, (before, after) = _stepped.convolution_numbers(
        size, kernel, strides, padding, seed=1
    )
    picture = padded[before : before + size, before : before + size]
    assert padded.shape == (before + size + after,) * 2
    expected = keras.ops.conv(
        picture[None, ..., None].astype("float32"),
        weights[..., None, None].astype("float32"),
        strides=strides,
        padding=padding,
        data_format="channels_last",
    )
    expected = keras.ops.convert_to_numpy(expected)[0, ..., 0]
    np.testing.assert_allclose(output, expected)
    steps = drawings.convolution_steps(size, kernel, strides, padding, seed=1).text
    values = re.findall(r"the output there is (−?\d+)\.", steps)
    places = re.findall(r"Position (\d+) of", steps)
    assert places
    flat = output.ravel()
    assert [int(v.replace("−", "-")) for v in values] == [
        flat[int(place) - 1] for place in places
    ]
    assert f"+ 1 = {len(output)} position" in steps


def test_the_separable_convolution_is_the_layers():
    maps, kernels, weights, middle, output = _stepped.separable_numbers(5, 3, 3, seed=2)
    layer = layers.SeparableConv2D(3, 3, use_bias=False)
    images = np.moveaxis(maps, 0, -1)[None].astype("float32")
    layer.build(images.shape)
    layer.set_weights([np.moveaxis(kernels, 0, -1)[..., None], weights.T[None, None]])
    found = keras.ops.convert_to_numpy(layer(images))[0]
    np.testing.assert_allclose(np.moveaxis(found, -1, 0), output)
    text = drawings.separable_steps(5, 3, 3, seed=2).text
    firsts = re.findall(r"first number: .*\s=\s(−?\d+)\.", text)
    assert [int(v.replace("−", "-")) for v in firsts] == middle[:, 0, 0].tolist()
    sums = re.findall(r"first number of its map: .*\s=\s(−?\d+)\.", text)
    assert [int(v.replace("−", "-")) for v in sums] == output[:, 0, 0].tolist()
    assert "60 together" in text
    assert "= 135" in text


def test_many_positions_show_the_first_row_the_turn_and_the_last():
    text = drawings.convolution_steps(8, 3, 1, "same").text
    assert re.findall(r"Position (\d+) of 64", text) == [*map(str, range(1, 10)), "64"]
    assert "work the same way" in text


def test_the_same_seed_gives_the_same_figure():
    first, again = (drawings.convolution_steps(seed=3).text for _ in range(2))
    assert first == again != drawings.convolution_steps(seed=4).text


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: drawings.architecture(3, **WORDS), TypeError, "`model`"),
        (
            lambda: drawings.architecture(keras.Sequential([]), **WORDS),
            ValueError,
            "`model`",
        ),
        (
            lambda: drawings.architecture(block(), title="", alt="a"),
            ValueError,
            "`title`",
        ),
        (lambda: drawings.architecture(block(), title="a", alt=3), TypeError, "`alt`"),
        (
            lambda: drawings.architecture(block(), merge=1, **WORDS),
            TypeError,
            "`merge`",
        ),
        (lambda: drawings.convolution_steps(1), ValueError, "`size`"),
        (lambda: drawings.convolution_steps(5.0), TypeError, "`size`"),
        (lambda: drawings.convolution_steps(3, 4), ValueError, "`kernel_size`"),
        (lambda: drawings.convolution_steps(5, 3, 0), ValueError, "`strides`"),
        (lambda: drawings.convolution_steps(5, 3, 1, "full"), ValueError, "`padding`"),
        (lambda: drawings.separable_steps(7), ValueError, "`channels`"),
        (lambda: drawings.separable_steps(3, 0), ValueError, "`filters`"),
        (lambda: drawings.separable_steps(3, 2, 5), ValueError, "`kernel_size`"),
        (lambda: drawings.separable_steps(seed=-1), ValueError, "`seed`"),
        (lambda: drawings.output_sizes(1), ValueError, "`size`"),
        (lambda: drawings.output_sizes(4, [5]), ValueError, "`kernel_sizes[0]`"),
        (lambda: drawings.output_sizes(4, []), ValueError, "`kernel_sizes`"),
        (lambda: drawings.output_sizes(4, 3), TypeError, "`kernel_sizes`"),
        (lambda: drawings.output_sizes(4, [3], [1, 1]), ValueError, "`strides`"),
        (lambda: drawings.output_sizes(4, [3], ["1"]), TypeError, "`strides[0]`"),
    ],
)
def test_wrong_arguments_are_named(call, error, says):
    with pytest.raises(error) as caught:
        call()
    assert says in str(caught.value)
    assert "got" in str(caught.value)


def test_importing_it_loads_no_framework():
    code = (
        "import sys, course_utils.drawings; "
        "print({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
