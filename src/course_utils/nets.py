"""The networks of the course, each a function that returns a new `keras.Model`.

All of them take `input_shape` and `num_classes` by name, start from the random numbers
of the current seed, and end in probabilities: a softmax or, in the nets whose
`num_classes` says so, one sigmoid unit for two classes. `plain_convnet` and
`mini_xception` take pixels from 0 to 255 and rescale them themselves; each docstring
says what the others expect. Importing this module loads no framework; Keras is loaded
by the first call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from course_utils import _validate, blocks

__all__ = [
    "augmentation",
    "cifar_resnet",
    "dense_classifier",
    "enlarged_xception",
    "fast_resnet",
    "mini_xception",
    "plain_convnet",
    "resnet50",
    "shallow_convnet",
    "small_convnet",
    "strided_resnet",
    "xception",
]

#: Factor and offset that bring pixels from 0 to 255 to about mean 0 and spread 1, the
#: same for all three colors.
SCALE_OF_PHOTOGRAPHS = (1 / 64, -1.9)


def augmentation(
    *,
    flip: bool = True,
    rotation: float = 0.1,
    zoom: float = 0.2,
    shift: float = 0.0,
    seed: int = 0,
) -> Any:
    """Return layers that change images at random, in training only.

    Taught in lesson 06.

    Args:
        flip: mirror every second image, left to right.
        rotation: the largest angle either way, as a part of a full turn; 0 for none.
        zoom: the largest change of size either way, as a part of it; 0 for none.
        shift: the largest move by whole pixels either way, up and down and left and
            right, as a part of the side; 0 for none. Where the image leaves a border,
            its own edge is mirrored. Taught in lesson 10.
        seed: where the layers' own random numbers start.

    Returns:
        A `keras.Sequential` that maps images (batch, height, width, channels) to images
        of the same shape; at inference it does nothing.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an angle above half a turn, a zoom or a shift of 1 or more, or
            nothing to do.

    Example:
        >>> mini_xception(augmentation=augmentation())

    References:
        Krizhevsky, Sutskever & Hinton (2012), section 4.1.
    """
    import keras
    from keras import layers

    _validate.boolean("flip", flip)
    _validate.number("rotation", rotation, low=0, high=0.5)
    _validate.number("zoom", zoom, low=0, high=0.9)
    _validate.number("shift", shift, low=0, high=0.9)
    _validate.integer("seed", seed, low=0)
    steps: list[Any] = []
    if flip:
        steps.append(layers.RandomFlip("horizontal", seed=seed))
    if rotation:
        steps.append(layers.RandomRotation(rotation, seed=seed + 1))
    if zoom:
        steps.append(layers.RandomZoom(zoom, seed=seed + 2))
    if shift:
        # `RandomCrop` would move all images of a batch alike; this moves each its way.
        whole_pixels = {"fill_mode": "reflect", "interpolation": "nearest"}
        steps.append(
            layers.RandomTranslation(shift, shift, seed=seed + 3, **whole_pixels)
        )
    if not steps:
        _validate.fail("flip", "True where rotation, zoom and shift are 0", flip)
    return keras.Sequential(steps, name="augmentation")


def dense_classifier(
    *,
    input_shape: Sequence[int] = (28, 28, 1),
    num_classes: int = 10,
    augmentation: Any = None,
) -> Any:
    """Return a classifier of dense layers alone: 256, 128 and one unit a class.

    Batch normalization and ReLU follow each hidden layer. With no argument it is the
    784-256-128-10 net for MNIST, of 236,682 parameters. Taught in lesson 01.

    Args:
        input_shape: (height, width, channels); pixels from 0 to 1.
        num_classes: classes; 2 gives one sigmoid unit, the probability of class 1.
        augmentation: a layer that changes the images in training, or None.

    Returns:
        A `keras.Model` from images to probabilities.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range.

    Example:
        >>> dense_classifier().count_params()
        236682

    References:
        LeCun, Bottou, Bengio & Haffner (1998), dense nets on MNIST; Ioffe & Szegedy
        (2015), the normalization.
    """
    import keras
    from keras import layers

    _validate.integer("num_classes", num_classes, low=2)
    inputs = keras.Input(_validate.image_shape(input_shape, smallest=1), name="image")
    x = layers.Flatten()(_augmented(inputs, augmentation))
    for units in (256, 128):
        x = layers.Dense(units)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
    return keras.Model(inputs, _head(x, num_classes), name="dense_classifier")


def small_convnet(
    *,
    input_shape: Sequence[int] = (28, 28, 1),
    num_classes: int = 10,
    augmentation: Any = None,
) -> Any:
    """Return a small convnet: two convolutions, and a dense layer of 512 units.

    The 3×3 convolutions have 32 and 64 filters and no padding; batch normalization,
    ReLU and 2×2 max pooling follow each of them. With no argument, 844,042 parameters.
    Taught in lesson 01.

    Args:
        input_shape: (height, width, channels), sides of at least 10 pixels; pixels
            from 0 to 1.
        num_classes: classes; 2 gives one sigmoid unit, the probability of class 1.
        augmentation: a layer that changes the images in training, or None.

    Returns:
        A `keras.Model` from images to probabilities.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range.

    Example:
        >>> small_convnet().count_params()
        844042

    References:
        LeCun, Bottou, Bengio & Haffner (1998), the pattern; Ioffe & Szegedy (2015), the
        normalization.
    """
    import keras
    from keras import layers

    _validate.integer("num_classes", num_classes, low=2)
    inputs = keras.Input(_validate.image_shape(input_shape, smallest=10), name="image")
    x = _augmented(inputs, augmentation)
    for filters in (32, 64):
        x = layers.Conv2D(filters, 3)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(512, activation="relu")(layers.Flatten()(x))
    return keras.Model(inputs, _head(x, num_classes), name="small_convnet")


def plain_convnet(
    *,
    input_shape: Sequence[int] = (180, 180, 3),
    num_classes: int = 2,
    dropout: float = 0.5,
    augmentation: Any = None,
) -> Any:
    """Return the plain convnet that mini-Xception is compared with.

    Five 3×3 convolutions of 32, 64, 128, 256 and 256 filters with ReLU, max pooling
    between them, and a dense layer on the flattened maps: 991,041 parameters, and nine
    activation maps. No normalization, no shortcut. Taught in lesson 06.

    Args:
        input_shape: (height, width, channels), sides of at least 78 pixels; pixels
            from 0 to 255.
        num_classes: classes; 2 gives one sigmoid unit, the probability of class 1.
        dropout: the part of the flattened features that a training step leaves out.
        augmentation: a layer that changes the images in training, or None.

    Returns:
        A `keras.Model` from images to probabilities.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range, or images too small for four poolings.

    Example:
        >>> plain_convnet().count_params()
        991041

    References:
        Chollet (2021), *Deep Learning with Python*, chapter 8, the classic example.
    """
    import keras
    from keras import layers

    _validate.integer("num_classes", num_classes, low=2)
    shape = _validate.image_shape(input_shape, smallest=78)
    _validate.number("dropout", dropout, low=0, high=0.99)
    inputs = keras.Input(shape, name="image")
    x = _augmented(inputs, augmentation)
    x = layers.Rescaling(1 / 255)(x)
    for filters in (32, 64, 128, 256):
        x = layers.Conv2D(filters, 3, activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(256, 3, activation="relu")(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, _head(x, num_classes), name="plain_convnet")


def mini_xception(
    *,
    input_shape: Sequence[int] = (180, 180, 3),
    num_classes: int = 2,
    filters: Sequence[int] = (32, 64, 128, 256, 512),
    residual: bool = True,
    normalization: bool = True,
    separable: bool = True,
    inner_activation: str | None = None,
    head: str = "average",
    dropout: float = 0.5,
    augmentation: Any = None,
) -> Any:
    """Return mini-Xception, a small Xception for small images and few of them.

    An ordinary 5×5 convolution, then one `separable_block` for each entry of `filters`,
    global average pooling and dropout. With no argument: 721,857 parameters, of which
    718,849 are trained. Taught in lesson 06.

    Args:
        input_shape: (height, width, channels), sides of at least 8 pixels; pixels from
            0 to 255.
        num_classes: classes; 2 gives one sigmoid unit, the probability of class 1.
        filters: filters of each block; the first number is also the first layer's.
        residual: if False, the blocks have no shortcut.
        normalization: if False, there is no batch normalization, and the convolutions
            have biases instead.
        separable: if False, the blocks use ordinary convolutions.
        inner_activation: name of an activation inside each separable convolution.
        head: "average" for global average pooling, "flatten" for all positions.
        dropout: the part of the features that a training step leaves out.
        augmentation: a layer that changes the images in training, or None.

    Returns:
        A `keras.Model` from images to probabilities.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range.

    Example:
        >>> mini_xception().count_params()
        721857

    References:
        Chollet (2017), the architecture; Chollet (2021), *Deep Learning with Python*,
        chapter 9, the small version.
    """
    import keras
    from keras import layers

    _validate.integer("num_classes", num_classes, low=2)
    shape = _validate.image_shape(input_shape, smallest=8)
    for name, value in [
        ("residual", residual),
        ("normalization", normalization),
        ("separable", separable),
    ]:
        _validate.boolean(name, value)
    _validate.integers("filters", filters, low=1)
    _validate.choice("head", head, ("average", "flatten"))
    _validate.number("dropout", dropout, low=0, high=0.99)

    inputs = keras.Input(shape, name="image")
    x = _augmented(inputs, augmentation)
    x = layers.Rescaling(1 / 255)(x)
    # Neighboring colors depend on each other, so the first layer is not separable.
    x = layers.Conv2D(filters[0], 5, use_bias=not normalization)(x)
    for size in filters:
        x = blocks.separable_block(
            x,
            size,
            residual=residual,
            normalization="before" if normalization else None,
            separable=separable,
            inner_activation=inner_activation,
        )
    pooling = layers.GlobalAveragePooling2D if head == "average" else layers.Flatten
    x = layers.Dropout(dropout)(pooling()(x))
    return keras.Model(inputs, _head(x, num_classes), name="mini_xception")


def xception(
    *,
    input_shape: Sequence[int] = (299, 299, 3),
    num_classes: int = 1000,
    include_top: bool = True,
) -> Any:
    """Return Xception, built of the same block as the mini net.

    Two ordinary convolutions, three blocks that halve the maps (entry), eight that keep
    them (middle), and the exit: 22,910,480 parameters, 20,861,480 without its top, and
    the outputs of the library's Xception with the same weights. Taught in lesson 06.

    Args:
        input_shape: (height, width, channels), sides of at least 71 pixels; values
            from -1 to 1, as `keras.applications.xception.preprocess_input` makes them.
        num_classes: classes of the softmax.
        include_top: if False, the model ends in feature maps.

    Returns:
        A `keras.Model`.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range.

    Example:
        >>> xception().count_params()
        22910480

    References:
        Chollet (2017), figure 5.
    """
    import keras
    from keras import layers

    def normalized(x: Any) -> Any:
        return layers.ReLU()(layers.BatchNormalization()(x))

    shape = _validate.image_shape(input_shape, smallest=71)
    _validate.boolean("include_top", include_top)
    _validate.integer("num_classes", num_classes, low=2)
    common: dict[str, Any] = {"normalization": "after", "momentum": 0.99}
    inputs = keras.Input(shape, name="image")
    x = normalized(layers.Conv2D(32, 3, strides=2, use_bias=False)(inputs))
    x = normalized(layers.Conv2D(64, 3, use_bias=False)(x))
    x = blocks.separable_block(x, 128, first_activation=False, **common)
    x = blocks.separable_block(x, 256, **common)
    x = blocks.separable_block(x, 728, **common)
    for _ in range(8):
        x = blocks.separable_block(x, (728, 728, 728), strides=1, **common)
    x = blocks.separable_block(x, (728, 1024), **common)
    for filters in (1536, 2048):
        separable = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)
        x = normalized(separable(x))
    if not include_top:
        return keras.Model(inputs, x, name="xception")
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="xception")


def resnet50(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    num_classes: int = 1000,
    include_top: bool = True,
    preprocessing: Callable[[Any], Any] | None = None,
) -> Any:
    """Return ResNet-50: bottleneck blocks in four stages of 3, 4, 6 and 3.

    With 1,000 classes 25,636,712 parameters, and the outputs of the library's ResNet-50
    with the same weights; for images of 64×64 and 6 classes 23,600,006. Taught in
    lesson 07. `pretrained.load("resnet50")` gives it with those weights.

    Args:
        input_shape: (height, width, channels), sides of at least 32 pixels.
        num_classes: classes of the softmax.
        include_top: if False, the model ends in feature maps of 2,048 channels.
        preprocessing: a function, or a layer, from images to what the stem shall read;
            it becomes a part of the model. None takes the images as they are.

    Returns:
        A `keras.Model` from images to probabilities. Its layers have names: "stem" and
        "stem_pool", the outputs of the blocks "block_1a", "block_1b" … "block_4c" (the
        number is the stage, the letter the place in it), "pooling", "probabilities".

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range.

    Example:
        >>> resnet50(input_shape=(64, 64, 3), num_classes=6).count_params()
        23600006

    References:
        He, Zhang, Ren & Sun (2016a), table 1.
    """
    import keras
    from keras import layers

    shape = _validate.image_shape(input_shape, smallest=32)
    _validate.integer("num_classes", num_classes, low=2)
    _validate.boolean("include_top", include_top)
    if preprocessing is not None:
        _validate.function("preprocessing", preprocessing)
    inputs = keras.Input(shape, name="image")
    x = inputs if preprocessing is None else preprocessing(inputs)
    x = layers.ZeroPadding2D(3, name="stem_pad")(x)
    x = layers.Conv2D(64, 7, strides=2, name="stem_conv")(x)
    x = layers.BatchNormalization(epsilon=1.001e-5, name="stem_norm")(x)
    x = layers.ReLU(name="stem")(x)
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    for stage, (filters, repeats) in enumerate(
        [(64, 3), (128, 4), (256, 6), (512, 3)], start=1
    ):
        # The pooling has halved the maps already, so the first stage keeps them.
        strides = 1 if stage == 1 else 2
        first, *others = (f"block_{stage}{letter}" for letter in "abcdef"[:repeats])
        x = blocks.convolutional_block(x, filters, strides=strides, name=first)
        for name in others:
            x = blocks.identity_block(x, filters, name=name)
    if include_top:
        x = layers.GlobalAveragePooling2D(name="pooling")(x)
        x = layers.Dense(
            num_classes, activation="softmax", name="probabilities", dtype="float32"
        )(x)
    return keras.Model(inputs, x, name="resnet50")


def cifar_resnet(
    *,
    depth: int = 20,
    input_shape: Sequence[int] = (32, 32, 3),
    num_classes: int = 10,
    augmentation: Any = None,
) -> Any:
    """Return the residual net of depth 6n+2 that He et al. trained on CIFAR-10.

    Three stages of n blocks with 16, 32 and 64 filters. The shortcuts have no
    parameters ("option A"): where the shape changes they take every second position
    and add channels of zeros. No convolution has a bias. With depth 20, 269,722
    parameters are trained. Taught in lesson 07.

    Args:
        depth: layers with weights, 6n+2: 8, 14, 20, 32, 44, 56, 110 …
        input_shape: (height, width, channels), sides of at least 4 pixels; values
            around 0, of a spread of about 1.
        num_classes: classes of the softmax.
        augmentation: a layer that changes the images in training, or None.

    Returns:
        A `keras.Model` from images to probabilities.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range, or a depth that is not 6n+2.

    Example:
        >>> cifar_resnet(depth=56).name
        'resnet56'

    References:
        He, Zhang, Ren & Sun (2016a), section 4.2.
    """
    import keras
    from keras import layers

    _validate.integer("depth", depth, low=8)
    if depth % 6 != 2:
        _validate.fail("depth", "a number of the form 6n+2: 8, 14, 20, 32 …", depth)
    shape = _validate.image_shape(input_shape, smallest=4)
    _validate.integer("num_classes", num_classes, low=2)

    def convolution(x: Any, filters: int, strides: int = 1) -> Any:
        x = layers.Conv2D(
            filters,
            3,
            strides=strides,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
        )(x)
        return layers.BatchNormalization(momentum=0.9)(x)

    inputs = keras.Input(shape, name="image")
    x = layers.ReLU()(convolution(_augmented(inputs, augmentation), 16))
    for filters in (16, 32, 64):
        for place in range((depth - 2) // 6):
            strides = 2 if place == 0 and filters > 16 else 1
            main = layers.ReLU()(convolution(x, filters, strides))
            main = convolution(main, filters)
            x = layers.ReLU()(layers.Add()([main, _zero_padded(x, filters, strides)]))
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)
    return keras.Model(inputs, outputs, name=f"resnet{depth}")


def shallow_convnet(
    *,
    input_shape: Sequence[int] = (32, 32, 3),
    num_classes: int = 10,
    augmentation: Any = None,
) -> Any:
    """Return a shallow convnet for small images, in the pattern of VGG.

    Three stages of two 3×3 "same" convolutions with ReLU, with 32, 64 and 128 filters,
    2×2 max pooling after each, then dense layers of 256 and 128 units. No
    normalization, no shortcut. With no argument, 845,738 parameters. Taught in
    lesson 10.

    Args:
        input_shape: (height, width, channels), sides of at least 8 pixels; pixels from
            0 to 255.
        num_classes: classes; 2 gives one sigmoid unit, the probability of class 1.
        augmentation: a layer that changes the images in training, or None.

    Returns:
        A `keras.Model` from images to probabilities.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range.

    Example:
        >>> shallow_convnet().count_params()
        845738

    References:
        Simonyan & Zisserman (2015), the pattern.
    """
    import keras
    from keras import layers

    _validate.integer("num_classes", num_classes, low=2)
    inputs = keras.Input(_validate.image_shape(input_shape, smallest=8), name="image")
    x = layers.Rescaling(1 / 255)(_augmented(inputs, augmentation))
    for filters in (32, 64, 128):
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    for units in (256, 128):
        x = layers.Dense(units, activation="relu")(x)
    return keras.Model(inputs, _head(x, num_classes), name="shallow_convnet")


def strided_resnet(
    *,
    strides: Sequence[int] = (1, 1, 1, 2, 1, 1, 2),
    input_shape: Sequence[int] = (32, 32, 3),
    num_classes: int = 10,
    augmentation: Any = None,
) -> Any:
    """Return the small "ResNet18" of lesson 07, repaired, or as it was found.

    A 3×3 convolution, seven residual blocks with 16, 16, 16, 32, 32, 32 and 128
    filters, global average pooling. As it was found, with the strides 1, 2, 2, 2, 2, 2,
    2, it has 261,238 parameters, and its last maps are a single position; with the
    default it halves the map only where the filters grow. Taught in lesson 10.

    Args:
        strides: the stride of each of the seven blocks, 1 or 2. A block that keeps
            shape and filters has a shortcut without parameters.
        input_shape: (height, width, channels), sides of at least 4 pixels; any scale,
            since the net begins with a normalization.
        num_classes: classes; 2 gives one sigmoid unit, the probability of class 1.
        augmentation: a layer that changes the images in training, or None.

    Returns:
        A `keras.Model` from images to probabilities.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range, or not seven strides.

    Example:
        >>> strided_resnet(strides=(1, 2, 2, 2, 2, 2, 2)).count_params()
        261238

    References:
        He, Zhang, Ren & Sun (2016a), the block.
    """
    import keras
    from keras import layers

    _validate.integer("num_classes", num_classes, low=2)
    shape = _validate.image_shape(input_shape, smallest=4)
    if len(_validate.integers("strides", strides, low=1, high=2)) != 7:
        _validate.fail("strides", "seven numbers, 1 or 2", strides)

    def normalization() -> Any:
        return layers.BatchNormalization(momentum=0.9)

    inputs = keras.Input(shape, name="image")
    x = normalization()(_augmented(inputs, augmentation))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    for filters, stride in zip((16, 16, 16, 32, 32, 32, 128), strides, strict=True):
        main = layers.Conv2D(filters, 3, strides=stride, padding="same")(x)
        main = layers.ReLU()(normalization()(main))
        main = normalization()(layers.Conv2D(filters, 3, padding="same")(main))
        if stride > 1 or x.shape[-1] != filters:
            x = layers.Conv2D(filters, 1, strides=stride)(x)
        x = layers.ReLU()(layers.Add()([main, x]))
    x = layers.GlobalAveragePooling2D()(normalization()(x))
    return keras.Model(inputs, _head(x, num_classes), name="strided_resnet")


def fast_resnet(
    *,
    width: int = 64,
    input_shape: Sequence[int] = (32, 32, 3),
    num_classes: int = 10,
    augmentation: Any = None,
) -> Any:
    """Return a residual net of nine layers that learns small images quickly.

    Wide and shallow: 3×3 convolutions of 1, 2, 4 and 8 times `width` filters, each with
    batch normalization and ReLU, pooling after all but the first, and a shortcut around
    two more of them at 2 and at 8 times the width. With no argument, 6,577,610
    parameters; `width=16` is for two CPU cores. Taught in lesson 10.

    Args:
        width: filters of the first convolution.
        input_shape: (height, width, channels), sides of at least 8 pixels; pixels from
            0 to 255.
        num_classes: classes; 2 gives one sigmoid unit, the probability of class 1.
        augmentation: a layer that changes the images in training, or None.

    Returns:
        A `keras.Model` from images to probabilities.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range.

    Example:
        >>> fast_resnet(width=16).output.shape
        (None, 10)

    References:
        Page (2018), *How to train your ResNet*, the shape of the net; He, Zhang, Ren &
        Sun (2016a), the shortcut.
    """
    import keras
    from keras import layers

    _validate.integer("num_classes", num_classes, low=2)
    shape = _validate.image_shape(input_shape, smallest=8)
    _validate.integer("width", width, low=1)

    def convolution(x: Any, filters: int) -> Any:
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))

    inputs = keras.Input(shape, name="image")
    factor, offset = SCALE_OF_PHOTOGRAPHS
    x = layers.Rescaling(factor, offset=offset)(_augmented(inputs, augmentation))
    x = convolution(x, width)
    for factor in (2, 4, 8):
        x = layers.MaxPooling2D(2)(convolution(x, factor * width))
        if factor != 4:
            main = convolution(convolution(x, factor * width), factor * width)
            x = layers.Add()([x, main])
    x = layers.GlobalMaxPooling2D()(x)
    # Without a scale the first outputs would be sure of themselves, and wrong.
    x = layers.Rescaling(1 / 8)(x)
    return keras.Model(inputs, _head(x, num_classes), name="fast_resnet")


def enlarged_xception(
    *,
    side: int = 71,
    input_shape: Sequence[int] = (32, 32, 3),
    num_classes: int = 10,
    augmentation: Any = None,
) -> Any:
    """Return the library's Xception behind a layer that enlarges small images.

    Xception halves its maps five times, so that 32 pixels are too few for it. Its
    weights are random. Taught in lesson 10.

    Args:
        side: pixels on each side after enlarging, at least 71.
        input_shape: (height, width, channels); pixels from 0 to 255.
        num_classes: classes of the softmax.
        augmentation: a layer that changes the images in training, or None.

    Returns:
        A `keras.Model` from images to probabilities.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range.

    Example:
        >>> enlarged_xception().count_params()
        20881970

    References:
        Chollet (2017).
    """
    import keras
    from keras import layers

    shape = _validate.image_shape(input_shape, smallest=1)
    _validate.integer("side", side, low=71)
    _validate.integer("num_classes", num_classes, low=2)
    inputs = keras.Input(shape, name="image")
    x = _augmented(inputs, augmentation)
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = layers.Resizing(side, side)(x)
    body = keras.applications.Xception(
        weights=None, include_top=False, pooling="avg", input_tensor=x
    )
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")
    return keras.Model(inputs, outputs(body.output), name="enlarged_xception")


def _zero_padded(x: Any, filters: int, strides: int) -> Any:
    """Option A: every `strides`-th position, and zeros for the channels that lack."""
    from keras import layers, ops

    if strides > 1:
        x = layers.MaxPooling2D(1, strides=strides)(x)  # one position: it is taken
    lacking = filters - x.shape[-1]
    if lacking:
        before = lacking // 2
        x = ops.pad(x, ((0, 0), (0, 0), (0, 0), (before, lacking - before)))
    return x


def _augmented(x: Any, augmentation: Any) -> Any:
    """Send images through the augmentation, if there is one."""
    if augmentation is None:
        return x
    import keras

    expected = "a Keras layer such as `nets.augmentation()`"
    if not isinstance(augmentation, keras.layers.Layer):
        _validate.fail_type("augmentation", expected, augmentation)
    if isinstance(augmentation, keras.Sequential) and not augmentation.layers:
        _validate.fail_with_words("augmentation", expected, "one without any layer")
    return augmentation(x)


def _head(x: Any, num_classes: int) -> Any:
    """One sigmoid unit for two classes, else a softmax; always in float32."""
    from keras import layers

    if num_classes == 2:
        return layers.Dense(1, activation="sigmoid", dtype="float32")(x)
    return layers.Dense(num_classes, activation="softmax", dtype="float32")(x)
