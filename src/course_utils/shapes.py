"""Rendered pictures of ten kinds of object, each with its exact mask.

A data set that needs no download: textured, shaded objects in front of cluttered
backgrounds, drawn with NumPy alone from a seed. It stands in where a real data set
cannot be had, and it is the one data set of the course that knows which pixels belong
to the object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from course_utils import _validate as validate

__all__ = ["KINDS", "render"]

KINDS: tuple[str, ...] = (
    "disk",
    "star",
    "square",
    "heart",
    "triangle",
    "ring",
    "cross",
    "crescent",
    "flower",
    "arrow",
)
"""The ten kinds of object, in the order of their labels."""

SMALLEST, LARGEST = 16, 256
"""The smallest and largest `size` that can be rendered, in pixels."""

_BLOCK = 64  # images whose parameters are drawn together; fixes image i for every n
_CHUNK_PIXELS = 1 << 18  # pixels worked on at once: what a core's cache holds
_CLUTTER = 10  # distractors in each background
_MOST_BYTES = 8 << 30

Array = np.ndarray
_F = np.float32

# How far the rounded edge reaches into the object, in radii: 1 makes a ball.
_BEVEL = {
    "disk": 1.0,
    "star": 0.34,
    "square": 0.42,
    "heart": 0.5,
    "triangle": 0.42,
    "ring": 0.27,
    "cross": 0.33,
    "crescent": 0.34,
    "flower": 0.42,
    "arrow": 0.3,
}


def render(
    n: int,
    *,
    size: int = 64,
    seed: int = 0,
    classes: int | Sequence[str] | None = None,
) -> tuple[Array, Array, Array]:
    """Render `n` pictures of textured, shaded objects, with labels and masks.

    Each picture shows one object of one of the ten `KINDS`, of random place, size,
    rotation, colors, texture and light, on a background of gradients, textures and
    out-of-focus clutter. Classes are balanced: every run of as many pictures as there
    are classes holds each class once. Picture `i` depends on `seed` and `i` only, not
    on `n`; its scene does not depend on `size` either.

    Taught in lesson 00, used in lesson 13.

    Args:
        n: number of pictures, at least 1.
        size: height and width in pixels, from 16 to 256.
        seed: a non-negative integer; the same seed gives the same pictures. (Between
            two kinds of processor a value may differ by one level of 255.)
        classes: which kinds to draw: `None` for all ten, an integer `k` for the first
            `k` of `KINDS`, or a sequence of names. Labels follow this order.

    Returns:
        `(images, labels, masks)`: uint8 of shape `(n, size, size, 3)`, RGB; int32 of
        shape `(n,)`; bool of shape `(n, size, size)`, True where the object covers at
        least half of the pixel.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: an argument is out of range, a kind is unknown, or the pictures
            would need more than 8 GB.

    Example:
        >>> images, labels, masks = render(100, size=32, seed=1)
        >>> images.shape, masks.shape
        ((100, 32, 32, 3), (100, 32, 32))
    """
    n = validate.integer("n", n, 1)
    size = validate.integer("size", size, SMALLEST, LARGEST)
    seed = validate.integer("seed", seed, 0)
    kinds = select_kinds(classes)
    if n * size * size * 4 > _MOST_BYTES:
        most = _MOST_BYTES // (size * size * 4)
        validate.fail("n", f"at most {most:,} pictures of size {size} (8 GB)", n)
    return render_stream(n, size, (seed,), kinds)


def select_kinds(classes: int | Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the kinds that `classes` asks for, in label order.

    Args:
        classes: `None`, an integer from 1 to 10, or a sequence of names of `KINDS`.

    Returns:
        A tuple of names.

    Raises:
        TypeError: `classes` is none of these.
        ValueError: a name is unknown or comes twice, or the number is out of range.

    Example:
        >>> select_kinds(2)
        ('disk', 'star')
    """
    return select_names("classes", classes, KINDS)


def select_names(
    argument: str, wanted: int | Sequence[str] | None, names: Sequence[str]
) -> tuple[str, ...]:
    """Return the names that `wanted` (None, a number of names, or names) asks for."""
    if wanted is None:
        return tuple(names)
    if isinstance(wanted, (list, tuple)):
        if not wanted:
            validate.fail(argument, "at least one class name", wanted)
        chosen = tuple(validate.choice(argument, name, names) for name in wanted)
        if len(set(chosen)) < len(chosen):
            validate.fail(argument, "class names that differ", wanted)
        return chosen
    if isinstance(wanted, (bool, str)) or not hasattr(wanted, "__index__"):
        validate.fail_type(
            argument, "None, a number of classes or a list of class names", wanted
        )
    return tuple(names[: validate.integer(argument, wanted, 1, len(names))])


def render_stream(
    n: int, size: int, key: tuple[int, ...], kinds: tuple[str, ...]
) -> tuple[Array, Array, Array]:
    """Render like `render`, from a random stream named by a tuple of integers."""
    labels = _balanced_labels(n, len(kinds), key)
    images = np.empty((n, size, size, 3), np.uint8)
    masks = np.empty((n, size, size), bool)
    step = max(1, min(_BLOCK, _CHUNK_PIXELS // (size * size)))
    for block, first in enumerate(range(0, n, _BLOCK)):
        rng = np.random.default_rng([*key, 1, block])
        scene = _draw_scene(rng)
        count = min(_BLOCK, n - first)
        for low in range(0, count, step):
            part = slice(low, min(low + step, count))
            where = slice(first + part.start, first + part.stop)
            names = [kinds[label] for label in labels[where]]
            values = {name: value[part] for name, value in scene.items()}
            _paint(values, names, size, rng, images[where], masks[where])
    return images, labels, masks


def _balanced_labels(n: int, classes: int, key: tuple[int, ...]) -> Array:
    groups = -(-n // classes)
    rng = np.random.default_rng([*key, 0])
    order = rng.permuted(np.tile(np.arange(classes), (groups, 1)), axis=1)
    return order.reshape(-1)[:n].astype(np.int32)


# ------------------------------------------------------------------ the scenes


def _hsv(hue: Array, saturation: Array, value: Array) -> Array:
    """Turn hue, saturation and value in [0, 1] into RGB along a new last axis."""
    turn = (hue[..., None] * 6 + np.array([5.0, 3.0, 1.0])) % 6
    dip = np.clip(np.minimum(turn, 4 - turn), 0, 1)
    return (value[..., None] * (1 - saturation[..., None] * dip)).astype(_F)


def _weave(rng: np.random.Generator, low: float, high: float) -> dict[str, Array]:
    """Draw a texture: two plane waves, and how they are mixed for each picture.

    The texture is clip(gain · (a·s1 + b·s1·s2 + c·s2 + d)), s1 and s2 being sines:
    plain, stripes, checks or dots, by the four weights.
    """
    weights = np.array(
        # a, b, c, d, gain
        [
            [0, 0, 0, -1, 1],  # plain
            [1, 0, 0, 0, 3],  # stripes
            [0, 1, 0, 0, 4],  # checks
            [1, 0, 1, -0.7, 3],  # dots
        ],
        _F,
    )
    style = rng.integers(0, len(weights), _BLOCK)
    angle = rng.uniform(0, np.pi, _BLOCK)
    number = rng.uniform(low, high, _BLOCK) * np.pi
    cos, sin = number * np.cos(angle), number * np.sin(angle)
    phase = rng.uniform(0, 2 * np.pi, (_BLOCK, 2))
    waves = np.stack([cos, sin, phase[:, 0], -sin, cos, phase[:, 1]], axis=1)
    mix = weights[style, :4] * weights[style, 4:]
    return {"mix": mix, "waves": waves.astype(_F)}


def _draw_scene(rng: np.random.Generator) -> dict[str, Array]:
    """Draw all parameters of a block of pictures; lengths in half picture widths."""
    size = _BLOCK
    scene: dict[str, Array] = {}

    radius = rng.uniform(0.48, 0.8, size)
    room = np.maximum(0.98 - radius, 0)
    scene["radius"] = radius
    scene["center"] = rng.uniform(-1, 1, (size, 2)) * room[:, None]
    angle = rng.uniform(-0.6, 0.6, size)
    stretch = np.exp(rng.uniform(-0.12, 0.12, size))
    scene["turn"] = np.stack([np.cos(angle), np.sin(angle), stretch], axis=1)

    hue = rng.uniform(0, 1, size)  # the background's
    other = hue + rng.uniform(0.25, 0.75, size)  # the object's is far from it
    scene["color"] = np.stack(
        [
            _hsv(other, rng.uniform(0.55, 0.95, size), rng.uniform(0.8, 1, size)),
            _hsv(
                other + rng.uniform(-0.14, 0.14, size),
                rng.uniform(0.1, 0.9, size),
                rng.uniform(0.35, 1, size),
            ),
        ],
        axis=1,
    )
    for name, value in _weave(rng, 2.4, 4.8).items():
        scene["object_" + name] = value

    tone = rng.uniform(0.25, 0.8, size)
    shade = rng.uniform(0.1, 0.55, (size, 2))
    scene["ground"] = np.stack(
        [
            _hsv(hue, shade[:, 0], tone),
            _hsv(hue + rng.uniform(-0.1, 0.1, size), shade[:, 1], 1 - tone * 0.7),
        ],
        axis=1,
    )
    slope = rng.uniform(0, 2 * np.pi, size)
    scene["slope"] = np.stack([np.cos(slope), np.sin(slope)], axis=1) * 0.5
    scene["cloud"] = rng.uniform(-1, 1, (size, 3, 5, 5)) * 0.16
    for name, value in _weave(rng, 2.0, 6.0).items():
        scene["ground_" + name] = value

    shape = (size, _CLUTTER)
    tilt = rng.uniform(0, np.pi, shape)
    scene["clutter"] = np.stack(
        [
            rng.uniform(-1.1, 1.1, shape),  # x
            rng.uniform(-1.1, 1.1, shape),  # y
            np.cos(tilt),
            np.sin(tilt),
            rng.uniform(0.12, 0.4, shape),  # half length
            rng.uniform(0.04, 0.26, shape),  # half width
            rng.uniform(0.45, 1.0, shape),  # opacity
        ],
        axis=2,
    )
    scene["clutter_color"] = _hsv(
        hue[:, None] + rng.uniform(-0.3, 0.3, shape),
        rng.uniform(0.1, 0.75, shape),
        rng.uniform(0.15, 0.95, shape),
    )

    azimuth = np.pi * 1.25 + rng.uniform(-0.6, 0.6, size)  # from the upper left
    height = rng.uniform(0.75, 1.05, size)
    scene["light"] = np.stack(
        [
            np.cos(azimuth) * np.cos(height),
            np.sin(azimuth) * np.cos(height),
            np.sin(height),
        ],
        axis=1,
    )
    scene["shine"] = rng.uniform(0.15, 0.7, size)
    scene["noise"] = rng.uniform(0.005, 0.04, size)
    return {name: value.astype(_F) for name, value in scene.items()}


# ------------------------------------------------- signed distances of the kinds
# Each takes u (right) and v (up) in radii and returns about the distance to the
# outline, negative inside. The foldings follow Quilez, "2D distance functions".


def _length(u: Array, v: Array) -> Array:
    return np.sqrt(u * u + v * v)


def _fold_five(u: Array, v: Array) -> tuple[Array, Array]:
    """Reflect the plane into the fifth around the upward axis."""
    u = np.abs(u)
    for x, y in ((0.809017, -0.587785), (-0.809017, -0.587785)):
        beyond = 2 * np.maximum(x * u + y * v, 0)
        u = u - beyond * _F(x)
        v = v - beyond * _F(y)
    return np.abs(u), v


def _disk(u: Array, v: Array) -> Array:
    return _length(u, v) - _F(0.92)


def _ring(u: Array, v: Array) -> Array:
    return np.abs(_length(u, v) - _F(0.7)) - _F(0.27)


def _square(u: Array, v: Array) -> Array:
    a, b = np.abs(u) - _F(0.66), np.abs(v) - _F(0.66)
    outside = _length(np.maximum(a, 0), np.maximum(b, 0))
    return outside + np.minimum(np.maximum(a, b), 0) - _F(0.12)


def _triangle(u: Array, v: Array) -> Array:
    lowered = v + _F(0.18)
    side = np.abs(u) * _F(0.866025) + lowered * _F(0.5)
    return np.maximum(side, -lowered) - _F(0.56)


def _star(u: Array, v: Array) -> Array:
    u, v = _fold_five(u, v)
    v = v - _F(1.05)
    x, y = 0.48 * 0.587785, 0.48 * 0.809017 - 1.0
    along = np.clip((u * _F(x) + v * _F(y)) / _F(x * x + y * y), 0, 1.05)
    distance = _length(u - along * _F(x), v - along * _F(y))
    return np.copysign(distance, v * _F(x) - u * _F(y))


def _cross(u: Array, v: Array) -> Array:
    a, b = np.abs(u), np.abs(v)
    long, short = np.maximum(a, b), np.minimum(a, b)
    inner = np.minimum(long - _F(0.95), 0)
    return np.maximum(np.maximum(long - _F(0.95), short - _F(0.33)), inner - _F(1))


def _heart(u: Array, v: Array) -> Array:
    u, v = np.abs(u) * _F(0.58), v * _F(0.58) + _F(0.56)
    total = u + v
    lobe = _length(u - _F(0.25), v - _F(0.75)) - _F(0.353553)
    half = 0.5 * np.maximum(total, 0)
    near = np.minimum(u * u + (v - 1) ** 2, (u - half) ** 2 + (v - half) ** 2)
    point = np.copysign(np.sqrt(near), u - v)
    return np.where(total > 1, lobe, point) * _F(1.72)


def _crescent(u: Array, v: Array) -> Array:
    u = u + _F(0.12)
    return np.maximum(_length(u, v) - _F(0.95), _F(0.76) - _length(u - _F(0.5), v))


def _flower(u: Array, v: Array) -> Array:
    middle = _length(u, v) - _F(0.42)
    u, v = _fold_five(u, v)
    return np.minimum(_length(u, v - _F(0.6)) - _F(0.37), middle)


def _arrow(u: Array, v: Array) -> Array:
    a = np.abs(u)
    shaft = np.maximum(a - _F(0.24), np.abs(v + _F(0.42)) - _F(0.55))
    lifted = v - _F(0.02)
    head = np.maximum(-lifted, a * _F(0.78) + lifted * _F(0.6258) - _F(0.58))
    return np.minimum(shaft, head)


_DISTANCE: dict[str, Callable[[Array, Array], Array]] = {
    "disk": _disk,
    "star": _star,
    "square": _square,
    "heart": _heart,
    "triangle": _triangle,
    "ring": _ring,
    "cross": _cross,
    "crescent": _crescent,
    "flower": _flower,
    "arrow": _arrow,
}


# ------------------------------------------------------------------- painting


def _centers(size: int) -> Array:
    """Return the pixel centers of one axis, from -1 to 1."""
    return ((np.arange(size) + 0.5) * (2 / size) - 1).astype(_F)


def _enlarge(field: Array, size: int) -> Array:
    """Enlarge the last two axes to `size` by linear interpolation."""
    points = field.shape[-1]
    at = np.clip((np.arange(size) + 0.5) * points / size - 0.5, 0, points - 1)
    low = np.minimum(at.astype(int), points - 2)
    share = (at - low).astype(_F)
    steps = np.diff(field, axis=-1)
    steps = steps[..., low] * share
    steps += field[..., low]
    field, steps = steps, np.diff(steps, axis=-2)
    steps = steps[..., low, :] * share[:, None]
    steps += field[..., low, :]
    return steps


def _each(values: Array) -> Array:
    """Give a value per picture two more axes, so that it meets (n, h, w)."""
    return values[:, None, None]


def _plane(axis: Array, center: Array, along_x: Array, along_y: Array) -> Array:
    """Return (x - center x) along_x + (y - center y) along_y, of shape (n, h, w)."""
    across = (axis - center[:, :1]) * along_x[:, None]
    down = (axis - center[:, 1:]) * along_y[:, None]
    return across[:, None, :] + down[:, :, None]


def _texture(axis: Array, waves: Array, mix: Array) -> Array:
    """Return a texture in [-1, 1] of shape (n, h, w)."""
    # sin(p + q) of row and column parts: two small sines instead of a large one.
    fields = []
    for k in (0, 3):
        across = waves[:, k, None] * axis + waves[:, k + 2, None]
        down = waves[:, k + 1, None] * axis
        field = np.sin(across)[:, None, :] * np.cos(down)[:, :, None]
        field += np.cos(across)[:, None, :] * np.sin(down)[:, :, None]
        fields.append(field)
    first, second = fields
    a, b, c, d = (_each(mix[:, k]) for k in range(4))
    mixed = first * b
    mixed += c
    mixed *= second
    first *= a
    mixed += first
    mixed += d
    return np.clip(mixed, -1, 1, out=mixed)


def _clutter(items: Array, axis: Array) -> Array:
    """Return the coverage (n, items, h, w) of out-of-focus boxes and ellipses."""
    n = len(items)
    rows = items.reshape(n * _CLUTTER, -1)
    cos, sin, long, wide = (rows[:, k] for k in range(2, 6))
    u = _plane(axis, rows[:, :2], cos / long, sin / long)
    v = _plane(axis, rows[:, :2], -sin / wide, cos / wide)
    u *= u
    v *= v
    reach = u.reshape(n, _CLUTTER, *u.shape[1:])
    other = v.reshape(reach.shape)
    reach[:, ::2] += other[:, ::2]  # every second one an ellipse, the others boxes
    np.maximum(reach[:, 1::2], other[:, 1::2], out=reach[:, 1::2])
    np.sqrt(u, out=u)
    # One minus the reach, in pixels of the thinner side, is the coverage.
    sharp = np.minimum(long, wide) * len(axis) / 2
    u *= _each(-sharp)
    u += _each(sharp + _F(0.5))
    np.clip(u, 0, 1, out=u)
    u *= _each(rows[:, 6])
    return reach


def _background(scene: dict[str, Array], size: int) -> Array:
    """Return the background, (n, 3, size, size): drawn smaller, so out of focus."""
    small = min(size, max(32, size // 2))
    axis = _centers(small)
    slope = scene["slope"]
    blend = _plane(axis, np.zeros_like(slope), slope[:, 0], slope[:, 1])
    weave = _texture(axis, scene["ground_waves"], scene["ground_mix"])
    blend += weave * _F(0.22)
    blend += _F(0.5)
    first, second = scene["ground"][:, 0], scene["ground"][:, 1]
    ground = _enlarge(scene["cloud"], small)
    ground += blend[:, None] * (second - first)[:, :, None, None]
    ground += first[:, :, None, None]

    # Laid from the front to the back: each shows where those before let through.
    cover = _clutter(scene["clutter"], axis)
    through = np.ones_like(blend)
    for k in range(_CLUTTER):
        layer = cover[:, k]
        layer *= through
        through -= layer
    ground *= through[:, None]
    colors = scene["clutter_color"].transpose(0, 2, 1)
    flat = ground.reshape(*ground.shape[:2], -1)
    flat += colors @ cover.reshape(*cover.shape[:2], -1)
    return ground if small == size else _enlarge(ground, size)


def _outline(
    scene: dict[str, Array], names: list[str], size: int
) -> tuple[Array, Array]:
    """Return the signed distance to the outline, in radii, and the bevels."""
    axis = _centers(size)
    center = scene["center"]
    cos, sin, stretch = (scene["turn"][:, k] for k in range(3))
    wide = 1 / (scene["radius"] * stretch)
    high = stretch / scene["radius"]
    distance = np.empty((len(names), size, size), _F)
    kinds = np.array(names)
    for kind in dict.fromkeys(names):
        k = np.flatnonzero(kinds == kind)
        u = _plane(axis, center[k], (cos * wide)[k], (sin * wide)[k])
        v = _plane(axis, center[k], (sin * high)[k], (-cos * high)[k])
        distance[k] = _DISTANCE[kind](u, v)
    return distance, np.array([_BEVEL[name] for name in names], _F)


def _light(
    distance: Array, scene: dict[str, Array], bevel: Array
) -> tuple[Array, Array]:
    """Return Lambert shading and highlight of an object with a round edge."""
    size = distance.shape[1]
    scale = _each(scene["radius"] * size / 4)  # half of radii to pixels
    slope_x = np.zeros_like(distance)
    slope_y = np.zeros_like(distance)
    np.subtract(distance[:, :, 2:], distance[:, :, :-2], out=slope_x[:, :, 1:-1])
    np.subtract(distance[:, 2:], distance[:, :-2], out=slope_y[:, 1:-1])

    steep = distance * _each(1 / bevel)
    steep += 1
    np.clip(steep, 0, 1, out=steep)
    facing = np.sqrt(1 - steep * steep)
    steep *= scale
    slope_x *= steep
    slope_y *= steep

    light = scene["light"]
    lit = slope_x * _each(light[:, 0])
    lit += slope_y * _each(light[:, 1])
    lit += facing * _each(light[:, 2])
    np.clip(lit, 0, 1, out=lit)

    # Blinn's highlight: half way between the light and an eye straight above.
    half = light + np.array([0, 0, 1], _F)
    half /= np.sqrt((half * half).sum(axis=1, keepdims=True))
    gleam = slope_x
    gleam *= _each(half[:, 0])
    slope_y *= _each(half[:, 1])
    facing *= _each(half[:, 2])
    gleam += slope_y
    gleam += facing
    np.clip(gleam, 0, 1, out=gleam)
    for _ in range(5):  # to the 32nd power
        gleam *= gleam
    gleam *= _each(scene["shine"])

    lit *= _F(0.8)
    lit += _F(0.3)
    return lit, gleam


def _paint(
    scene: dict[str, Array],
    names: list[str],
    size: int,
    rng: np.random.Generator,
    images: Array,
    masks: Array,
) -> None:
    """Paint a few pictures into `images` and `masks`."""
    picture = _background(scene, size)
    distance, bevel = _outline(scene, names, size)
    pixels = _each(scene["radius"] * size / 2)
    inside = _F(0.5) - distance * pixels
    np.greater_equal(inside, _F(0.5), out=masks)
    cover = np.clip(inside, 0, 1)

    # A soft shadow on the background, down and to the right.
    offset = max(1, round(size * 0.05))
    shadow = np.zeros_like(cover)
    moved = shadow[:, offset:, offset:]
    np.multiply(distance[:, :-offset, :-offset], _F(-6.0), out=moved)
    moved += _F(0.5)
    np.clip(moved, 0, 1, out=moved)
    shadow *= _F(-0.55)
    shadow += 1

    lit, gleam = _light(distance, scene, bevel)
    axis = _centers(size)
    weave = _texture(axis, scene["object_waves"], scene["object_mix"])
    grain = np.frombuffer(rng.bytes(masks.size), np.uint8).reshape(masks.shape)
    strength = scene["noise"] * 2  # times half of 255 levels: the amplitude

    # background · shadow · (1 - cover) + (paint · lit + gleam) · cover + grain
    shadow *= 255
    shadow *= 1 - cover
    cover *= 255
    lit *= cover
    gleam *= cover
    gleam += grain * _each(strength)
    gleam += _each(_F(0.5) - strength * _F(127.5))
    first, second = scene["color"][:, 0], scene["color"][:, 1]
    middle, half = (first + second) / 2, (second - first) / 2
    for channel in range(3):
        paint = weave * _each(half[:, channel])
        paint += _each(middle[:, channel])
        paint *= lit
        plane = picture[:, channel]
        plane *= shadow
        plane += paint
        plane += gleam
        np.clip(plane, 0, 255, out=plane)
        images[..., channel] = plane
