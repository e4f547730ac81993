"""Blocks that the lessons build networks from.

Each block takes a symbolic Keras tensor and returns one, so that a network reads as
the papers draw it: `x = residual_block(x, 64)`. Importing this module loads no
framework; Keras is loaded by the first call.
"""

from __future__ import annotations

from typing import Any

from course_utils import _validate

__all__ = ["plain_block", "residual_block"]


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
