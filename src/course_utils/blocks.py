"""Blocks that the lessons build networks from.

Each block takes a symbolic Keras tensor and returns one, so that a network reads as
the papers draw it: `x = residual_block(x, 64)`. Importing this module loads no
framework; Keras is loaded by the first call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from course_utils import _validate

__all__ = [
    "convolutional_block",
    "grouped_convolution",
    "identity_block",
    "inverted_residual_block",
    "plain_block",
    "residual_block",
    "separable_block",
]


def residual_block(
    x: Any,
    filters: int,
    *,
    kernel_size: int = 3,
    pooling: bool = False,
    normalization: bool = False,
    activation: str = "relu",
    kernel_initializer: str = "he_normal",
    zero_init: bool = False,
) -> Any:
    """Add two convolutions to their own input, the block of a residual network.

    The main path is convolution, activation, convolution; the shortcut is added to it,
    and the activation follows the sum. Where the shape stays the same, the shortcut is
    the input itself. Where it changes (other filters, or pooling), a 1×1 convolution
    projects the input to the new shape. Taught in lesson 03.

    Args:
        x: symbolic tensor of shape (batch, height, width, channels).
        filters: number of output channels.
        kernel_size: side of both square kernels of the main path, in pixels.
        pooling: if True, max pooling ends the main path and a stride of 2 projects the
            shortcut; both turn a side of n pixels into ⌈n / 2⌉.
        normalization: if True, batch normalization follows each convolution, and the
            convolutions carry no bias (the normalization would subtract it).
        activation: name of the activation, as in `keras.activations`.
        kernel_initializer: name of the initializer of the main path's kernels. An
            initializer object is refused: shared by two layers, it would give both
            the same numbers.
        zero_init: if True, the last convolution of the main path starts at zero (with
            `normalization`, the last scale γ does), so that the block starts out as
            its shortcut.

    Returns:
        Symbolic tensor of shape (batch, height, width, filters); with `pooling`,
        height and width are halved and rounded up.

    Raises:
        TypeError: an argument of the wrong type, `x` not symbolic included.
        ValueError: an argument out of range, or `x` not of four axes.

    Example:
        >>> inputs = keras.Input((32, 32, 3))
        >>> x = residual_block(inputs, 64, pooling=True)
        >>> x.shape
        (None, 16, 16, 64)

    References:
        He, Zhang, Ren & Sun (2016a), the block and its projections; Goyal et al. (2017)
        and Zhang, Dauphin & Ma (2019), the main path that starts at zero.
    """
    from keras import layers

    _validate.boolean("zero_init", zero_init)
    shortcut = x
    x = _main_path(
        x,
        filters,
        kernel_size=kernel_size,
        pooling=pooling,
        normalization=normalization,
        activation=activation,
        kernel_initializer=kernel_initializer,
        zero_init=zero_init,
    )
    if pooling or shortcut.shape[-1] != filters:
        shortcut = layers.Conv2D(
            filters, 1, strides=2 if pooling else 1, use_bias=not normalization
        )(shortcut)
        if normalization:
            shortcut = layers.BatchNormalization(momentum=0.9)(shortcut)
    x = layers.Add()([x, shortcut])
    return layers.Activation(activation)(x)


def plain_block(
    x: Any,
    filters: int,
    *,
    kernel_size: int = 3,
    pooling: bool = False,
    normalization: bool = False,
    activation: str = "relu",
    kernel_initializer: str = "he_normal",
) -> Any:
    """Apply the main path of `residual_block` without its shortcut.

    The plain network that a residual one is compared with: the same convolutions, in
    the same order, and nothing added. Taught in lesson 03.

    Args:
        x: symbolic tensor of shape (batch, height, width, channels).
        filters: number of output channels.
        kernel_size: side of both square kernels, in pixels.
        pooling: if True, max pooling turns a side of n pixels into ⌈n / 2⌉.
        normalization: if True, batch normalization follows each convolution, and the
            convolutions carry no bias.
        activation: name of the activation, as in `keras.activations`.
        kernel_initializer: name of the initializer of the kernels.

    Returns:
        Symbolic tensor of shape (batch, height, width, filters); with `pooling`,
        height and width are halved and rounded up.

    Raises:
        TypeError: an argument of the wrong type, `x` not symbolic included.
        ValueError: an argument out of range, or `x` not of four axes.

    Example:
        >>> inputs = keras.Input((32, 32, 3))
        >>> plain_block(inputs, 64).shape
        (None, 32, 32, 64)

    References:
        He, Zhang, Ren & Sun (2016a), section 3.3, "plain network".
    """
    from keras import layers

    x = _main_path(
        x,
        filters,
        kernel_size=kernel_size,
        pooling=pooling,
        normalization=normalization,
        activation=activation,
        kernel_initializer=kernel_initializer,
        zero_init=False,
    )
    return layers.Activation(activation)(x)


def separable_block(
    x: Any,
    filters: int | Sequence[int],
    *,
    kernel_size: int = 3,
    strides: int = 2,
    normalization: str | None = "before",
    first_activation: bool = True,
    residual: bool = True,
    separable: bool = True,
    inner_activation: str | None = None,
    momentum: float = 0.9,
) -> Any:
    """Stack separable convolutions with a shortcut around them, as Xception does.

    Each convolution comes with a ReLU in front of it and batch normalization. With
    `strides=2` max pooling (3×3) ends the main path, and a 1×1 convolution of stride 2
    is the shortcut; with `strides=1` the shortcut is the input itself wherever the
    channels stay the same. Nothing follows the sum. Taught in lesson 06.

    Args:
        x: symbolic tensor of shape (batch, height, width, channels).
        filters: output channels of each convolution in turn; one number stands for two
            convolutions of as many filters.
        kernel_size: side of the square kernels, in pixels.
        strides: 1, or 2 to turn a side of n pixels into ⌈n / 2⌉.
        normalization: "before" puts batch normalization in front of each ReLU (the
            mini net), "after" behind each convolution and the projection (Xception),
            None leaves it out and gives the convolutions biases instead.
        first_activation: if False, no ReLU stands in front of the first convolution.
        residual: if False, the shortcut is left out.
        separable: if False, ordinary convolutions take the place of the separable ones.
        inner_activation: name of an activation between the depthwise and the pointwise
            half of each separable convolution, or None for none, as in Xception.
        momentum: of the running statistics, between 0 and 1.

    Returns:
        Symbolic tensor of shape (batch, height, width, filters); with `strides=2`,
        height and width are halved and rounded up.

    Raises:
        TypeError: an argument of the wrong type, `x` not symbolic included.
        ValueError: an argument out of range, `x` not of four axes, or an inner
            activation for convolutions that are not separable.

    Example:
        >>> inputs = keras.Input((88, 88, 32))
        >>> separable_block(inputs, 64).shape
        (None, 44, 44, 64)

    References:
        Chollet (2017), the block, and why nothing stands between the two halves of a
        separable convolution.
    """
    from keras import layers

    _feature_maps("x", x)
    each = _filters_of(filters)
    _validate.integer("kernel_size", kernel_size, low=1)
    _validate.integer("strides", strides, low=1, high=2)
    if normalization is not None:
        _validate.choice("normalization", normalization, ("before", "after"))
    for name, value in [
        ("first_activation", first_activation),
        ("residual", residual),
        ("separable", separable),
    ]:
        _validate.boolean(name, value)
    if inner_activation is not None:
        _known_name("inner_activation", inner_activation, "activations")
        if not separable:
            _validate.fail(
                "inner_activation",
                "None where `separable` is False (there is nothing in between)",
                inner_activation,
            )
    _validate.number("momentum", momentum, low=0, high=1)

    use_bias = normalization is None
    shortcut = x
    for place, size in enumerate(each):
        if normalization == "before":
            x = layers.BatchNormalization(momentum=momentum)(x)
        if place > 0 or first_activation:
            x = layers.ReLU()(x)
        x = _convolution(x, size, kernel_size, separable, inner_activation, use_bias)
        if normalization == "after":
            x = layers.BatchNormalization(momentum=momentum)(x)
    if strides == 2:
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    if not residual:
        return x
    if strides == 2 or shortcut.shape[-1] != each[-1]:
        shortcut = layers.Conv2D(each[-1], 1, strides=strides, use_bias=use_bias)(
            shortcut
        )
        if normalization == "after":
            shortcut = layers.BatchNormalization(momentum=momentum)(shortcut)
    return layers.Add()([x, shortcut])


def identity_block(
    x: Any,
    filters: int,
    *,
    kernel_size: int = 3,
    momentum: float = 0.99,
    name: str | None = None,
) -> Any:
    """Add a bottleneck of three convolutions to its input, whose shape stays.

    1×1 down to `filters` channels, `kernel_size`×`kernel_size`, 1×1 up to four times as
    many; batch normalization after each, ReLU after the first two and after the sum.
    Taught in lesson 07.

    Args:
        x: symbolic tensor of shape (batch, height, width, 4·filters).
        filters: channels inside the bottleneck.
        kernel_size: side of the middle kernel, in pixels.
        momentum: of the running statistics, between 0 and 1.
        name: what the layers' names begin with: the output is the layer `<name>`, the
            activations in it are `<name>_narrow` and `<name>_middle`. None leaves the
            names to Keras.

    Returns:
        Symbolic tensor of the shape of `x`.

    Raises:
        TypeError: an argument of the wrong type, `x` not symbolic included.
        ValueError: an argument out of range, or `x` without 4·filters channels.

    Example:
        >>> inputs = keras.Input((56, 56, 256))
        >>> identity_block(inputs, 64).shape
        (None, 56, 56, 256)

    References:
        He, Zhang, Ren & Sun (2016a), section 4.1, "deeper bottleneck architectures".
    """
    from keras import layers

    _feature_maps("x", x)
    _validate.integer("filters", filters, low=1)
    if x.shape[-1] != 4 * filters:
        _validate.fail(
            "x",
            f"a tensor of {4 * filters} channels, four times `filters`, so that the "
            "sum fits (use `convolutional_block` where the shape changes)",
            x,
        )
    main = _bottleneck(x, filters, kernel_size, 1, momentum, name)
    total = layers.Add(name=_part(name, "sum"))([x, main])
    return layers.ReLU(name=name)(total)


def convolutional_block(
    x: Any,
    filters: int,
    *,
    kernel_size: int = 3,
    strides: int = 2,
    momentum: float = 0.99,
    name: str | None = None,
) -> Any:
    """Add a bottleneck of three convolutions to a projection of its input.

    As `identity_block`, with a stride in the first 1×1 convolution, and a 1×1
    convolution of the same stride and batch normalization on the shortcut. Taught in
    lesson 07.

    Args:
        x: symbolic tensor of shape (batch, height, width, channels).
        filters: channels inside the bottleneck; the output has four times as many.
        kernel_size: side of the middle kernel, in pixels.
        strides: of the first convolution and of the projection, in pixels.
        momentum: of the running statistics, between 0 and 1.
        name: as in `identity_block`.

    Returns:
        Symbolic tensor of shape (batch, ⌈height / strides⌉, ⌈width / strides⌉,
        4·filters).

    Raises:
        TypeError: an argument of the wrong type, `x` not symbolic included.
        ValueError: an argument out of range, or `x` not of four axes.

    Example:
        >>> inputs = keras.Input((56, 56, 256))
        >>> convolutional_block(inputs, 128).shape
        (None, 28, 28, 512)

    References:
        He, Zhang, Ren & Sun (2016a), sections 3.3 (option B) and 4.1.
    """
    from keras import layers

    _feature_maps("x", x)
    _validate.integer("filters", filters, low=1)
    _validate.integer("strides", strides, low=1)
    _validate.number("momentum", momentum, low=0, high=1)
    shortcut = _normalized(x, 4 * filters, 1, strides, momentum, name, "shortcut")
    main = _bottleneck(x, filters, kernel_size, strides, momentum, name)
    total = layers.Add(name=_part(name, "sum"))([shortcut, main])
    return layers.ReLU(name=name)(total)


def grouped_convolution(
    x: Any,
    filters: int,
    *,
    groups: int,
    kernel_size: int = 3,
    use_bias: bool = True,
) -> Any:
    """Mix all channels by a 1×1 convolution, then filter them in separate groups.

    The first convolution looks across channels and at no neighbor. The second looks at
    neighbors, and at the channels of its own group only. `groups=1` gives an ordinary
    spatial convolution, `groups=filters` a depthwise one: the ends of the scale from
    Inception to Xception. Nothing stands between the two. Taught in lesson 05.

    Args:
        x: symbolic tensor of shape (batch, height, width, channels).
        filters: output channels of both convolutions.
        groups: into how many groups the spatial convolution splits its channels; a
            divisor of `filters`.
        kernel_size: side of the square spatial kernel, in pixels.
        use_bias: whether each filter of the spatial convolution has a bias. The 1×1
            convolution has none, as in `SeparableConv2D`.

    Returns:
        Symbolic tensor of shape (batch, height, width, filters).

    Raises:
        TypeError: an argument of the wrong type, `x` not symbolic included.
        ValueError: an argument out of range, `groups` that does not divide `filters`,
            or `x` not of four axes.

    Example:
        >>> inputs = keras.Input((32, 32, 16))
        >>> grouped_convolution(inputs, 64, groups=4).shape
        (None, 32, 32, 64)

    References:
        Chollet (2017), sections 1.1 and 1.2, figures 1 to 4.
    """
    from keras import layers, ops

    _feature_maps("x", x)
    _validate.integer("filters", filters, low=1)
    _validate.integer("groups", groups, low=1)
    _validate.integer("kernel_size", kernel_size, low=1)
    _validate.boolean("use_bias", use_bias)
    if filters % groups:
        _validate.fail("groups", f"a divisor of filters = {filters}", groups)
    x = layers.Conv2D(filters, 1, use_bias=False)(x)
    if groups == filters:
        return layers.DepthwiseConv2D(kernel_size, padding="same", use_bias=use_bias)(x)
    # One convolution a group, and not `Conv2D(groups=...)`: with 8 groups of 32
    # channels in all, on maps of 16×16, a step of training took that one about 40 times
    # as long (batches of 32; TensorFlow 2.21, two cores of a CPU, 2026-12).
    parts = ops.split(x, groups, axis=-1) if groups > 1 else [x]
    width = filters // groups
    parts = [
        layers.Conv2D(width, kernel_size, padding="same", use_bias=use_bias)(part)
        for part in parts
    ]
    return layers.Concatenate()(parts) if groups > 1 else parts[0]


def inverted_residual_block(
    x: Any,
    filters: int,
    *,
    expansion: int = 6,
    kernel_size: int = 3,
    strides: int = 1,
    momentum: float = 0.99,
    name: str | None = None,
) -> Any:
    """Widen by a 1×1 convolution, filter each channel, narrow again, maybe add.

    A bottleneck turned inside out: the ends are narrow and the middle is wide, which a
    depthwise convolution makes cheap. Batch normalization after each convolution, ReLU6
    (ReLU, cut off at 6) after the first two; nothing follows the last, so the narrow
    ends are linear. Where the shape stays, the input is added. This is the block of the
    EfficientNet-Lite family: MBConv without squeeze-and-excitation. Used in lesson 09.

    Args:
        x: symbolic tensor of shape (batch, height, width, channels).
        filters: output channels.
        expansion: how many times wider the middle is than the input; with 1 the first
            1×1 convolution is left out.
        kernel_size: side of the depthwise kernels, in pixels.
        strides: of the depthwise convolution, in pixels.
        momentum: of the running statistics, between 0 and 1.
        name: what the layers' names begin with: the output is the layer `<name>`, the
            activations in it are `<name>_expand` and `<name>_depthwise`. None leaves
            the names to Keras.

    Returns:
        Symbolic tensor of shape (batch, ⌈height / strides⌉, ⌈width / strides⌉,
        filters).

    Raises:
        TypeError: an argument of the wrong type, `x` not symbolic included.
        ValueError: an argument out of range, or `x` not of four axes.

    Example:
        >>> inputs = keras.Input((56, 56, 24))
        >>> inverted_residual_block(inputs, 40, kernel_size=5, strides=2).shape
        (None, 28, 28, 40)

    References:
        Sandler, Howard, Zhu, Zhmoginov & Chen (2018), the block; Tan & Le (2019), the
        network of it, with squeeze-and-excitation.
    """
    from keras import layers

    _feature_maps("x", x)
    _validate.integer("filters", filters, low=1)
    _validate.integer("expansion", expansion, low=1)
    _validate.integer("kernel_size", kernel_size, low=1)
    _validate.integer("strides", strides, low=1)
    _validate.number("momentum", momentum, low=0, high=1)

    def named(part: str) -> str | None:
        return _part(name, part)

    def normalized(x: Any, part: str) -> Any:
        return layers.BatchNormalization(
            momentum=momentum, epsilon=1e-3, name=named(f"{part}_norm")
        )(x)

    options: dict[str, Any] = {"padding": "same", "use_bias": False}
    shortcut, channels = x, x.shape[-1]
    if expansion > 1:
        wide = channels * expansion
        x = layers.Conv2D(wide, 1, name=named("expand_conv"), **options)(x)
        x = layers.ReLU(6.0, name=named("expand"))(normalized(x, "expand"))
    x = layers.DepthwiseConv2D(
        kernel_size, strides=strides, name=named("depthwise_conv"), **options
    )(x)
    x = layers.ReLU(6.0, name=named("depthwise"))(normalized(x, "depthwise"))
    x = layers.Conv2D(filters, 1, name=named("project_conv"), **options)(x)
    x = normalized(x, "project")
    if strides == 1 and channels == filters:
        return layers.Add(name=name)([shortcut, x])
    return x if name is None else layers.Identity(name=name)(x)


# What the library's ResNet-50 adds to the variance, so that its weights fit ours.
_EPSILON = 1.001e-5


def _bottleneck(
    x: Any,
    filters: int,
    kernel_size: int,
    strides: int,
    momentum: float,
    name: str | None,
) -> Any:
    """1×1, k×k, 1×1, each with normalization, and no activation at the end."""
    from keras import layers

    _validate.integer("kernel_size", kernel_size, low=1)
    _validate.number("momentum", momentum, low=0, high=1)
    for part, size, kernel, step in [
        ("narrow", filters, 1, strides),
        ("middle", filters, kernel_size, 1),
        ("widen", 4 * filters, 1, 1),
    ]:
        x = _normalized(x, size, kernel, step, momentum, name, part)
        if part != "widen":
            x = layers.ReLU(name=_part(name, part))(x)
    return x


def _normalized(
    x: Any,
    filters: int,
    kernel_size: int,
    strides: int,
    momentum: float,
    name: str | None,
    part: str,
) -> Any:
    """Apply a convolution and batch normalization, with the names of a part."""
    from keras import layers

    x = layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        name=_part(name, f"{part}_conv"),
    )(x)
    return layers.BatchNormalization(
        momentum=momentum, epsilon=_EPSILON, name=_part(name, f"{part}_norm")
    )(x)


def _part(name: str | None, part: str) -> str | None:
    """Return the name of a part of a block, or None where the block has no name."""
    if name is None:
        return None
    return f"{_validate.string('name', name)}_{part}"


def _convolution(
    x: Any,
    filters: int,
    kernel_size: int,
    separable: bool,
    inner_activation: str | None,
    use_bias: bool,
) -> Any:
    """One convolution of a separable block, in the form that was asked for."""
    from keras import layers

    if not separable:
        return layers.Conv2D(filters, kernel_size, padding="same", use_bias=use_bias)(x)
    if inner_activation is None:
        return layers.SeparableConv2D(
            filters, kernel_size, padding="same", use_bias=use_bias
        )(x)
    x = layers.DepthwiseConv2D(kernel_size, padding="same", use_bias=False)(x)
    x = layers.Activation(inner_activation)(x)
    return layers.Conv2D(filters, 1, use_bias=use_bias)(x)


def _filters_of(filters: Any) -> tuple[int, ...]:
    """Return the filters of each convolution; one number stands for two."""
    if isinstance(filters, Sequence) and not isinstance(filters, (str, bytes)):
        if not filters:
            _validate.fail("filters", "at least one number", filters)
        return tuple(_validate.integer("filters", size, low=1) for size in filters)
    return (_validate.integer("filters", filters, low=1),) * 2


def _main_path(
    x: Any,
    filters: int,
    *,
    kernel_size: int,
    pooling: bool,
    normalization: bool,
    activation: str,
    kernel_initializer: str,
    zero_init: bool,
) -> Any:
    """Convolution, activation, convolution and, with `pooling`, max pooling."""
    from keras import layers

    _feature_maps("x", x)
    _validate.integer("filters", filters, low=1)
    _validate.integer("kernel_size", kernel_size, low=1)
    _validate.boolean("pooling", pooling)
    _validate.boolean("normalization", normalization)
    _known_name("activation", activation, "activations")
    _known_name("kernel_initializer", kernel_initializer, "initializers")

    last_kernel = "zeros" if zero_init and not normalization else kernel_initializer
    x = layers.Conv2D(
        filters,
        kernel_size,
        padding="same",
        use_bias=not normalization,
        kernel_initializer=kernel_initializer,
    )(x)
    if normalization:
        x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Activation(activation)(x)
    x = layers.Conv2D(
        filters,
        kernel_size,
        padding="same",
        use_bias=not normalization,
        kernel_initializer=last_kernel,
    )(x)
    if normalization:
        last_scale = "zeros" if zero_init else "ones"
        x = layers.BatchNormalization(momentum=0.9, gamma_initializer=last_scale)(x)
    if pooling:
        x = layers.MaxPooling2D(2, padding="same")(x)
    return x


def _feature_maps(argument: str, value: Any) -> None:
    """Refuse anything but a symbolic tensor of feature maps with known channels."""
    import keras

    expected = (
        "a symbolic Keras tensor of shape (batch, height, width, channels), such as "
        "`keras.Input((32, 32, 3))`"
    )
    if not isinstance(value, keras.KerasTensor):
        _validate.fail_type(argument, expected, value)
    if len(value.shape) != 4 or value.shape[-1] is None:
        _validate.fail(argument, expected, value)


def _known_name(argument: str, value: Any, family: str) -> None:
    """Refuse anything but a name in `keras.<family>`, such as "relu".

    Nothing is looked up by `get`: making an initializer draws a seed, and the next
    layer would start from other numbers.
    """
    import keras

    _validate.string(argument, value)
    known = getattr(keras, family)
    helpers = {"get", "serialize", "deserialize"}
    names = {name for name in dir(known) if name[:1].islower()} - helpers
    _validate.choice(argument, value, sorted(names))
