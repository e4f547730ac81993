# %% canonical right="canonical"
def build_body(
    filters: tuple[int, ...], input_shape: tuple[int, int, int]
) -> keras.Model:
    images = keras.Input(input_shape)
    maps = layers.Conv2D(32, 5, use_bias=False)(images)
    for size in filters:
        main = maps
        for _ in range(2):
            main = layers.ReLU()(layers.BatchNormalization()(main))
            main = layers.SeparableConv2D(size, 3, padding="same", use_bias=False)(main)
        main = layers.MaxPooling2D(3, strides=2, padding="same")(main)
        side = layers.Conv2D(size, 1, strides=2, use_bias=False)(maps)
        maps = layers.add([main, side])
    features = layers.GlobalAveragePooling2D()(maps)
    return keras.Model(images, layers.Dense(1, activation="sigmoid")(features))


# %% with the block as a function of its own right="other style"
def one_block(maps, size):
    bare = {"padding": "same", "use_bias": False}
    path = keras.Sequential(
        [
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.SeparableConv2D(size, 3, **bare),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.SeparableConv2D(size, 3, **bare),
            layers.MaxPool2D(3, 2, "same"),
        ]
    )
    return path(maps) + layers.Conv2D(size, 1, strides=2, **bare)(maps)


def build_body(
    filters: tuple[int, ...], input_shape: tuple[int, int, int]
) -> keras.Model:
    images = keras.Input(shape=input_shape)
    maps = layers.Conv2D(32, (5, 5), use_bias=False)(images)
    for size in filters:
        maps = one_block(maps, size)
    score = layers.Dense(1)(ops.mean(maps, axis=(1, 2)))
    return keras.Model(images, ops.sigmoid(score))


# %% each block starts from the first layer wrong="every block is part of the model"
def build_body(filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(32, 5, use_bias=False)(images)
    for size in filters:
        main = maps
        for _ in range(2):
            main = layers.ReLU()(layers.BatchNormalization()(main))
            main = layers.SeparableConv2D(size, 3, padding="same", use_bias=False)(main)
        main = layers.MaxPooling2D(3, strides=2, padding="same")(main)
        side = layers.Conv2D(size, 1, strides=2, use_bias=False)(maps)
        main = layers.add([main, side])
    features = layers.GlobalAveragePooling2D()(main)
    return keras.Model(images, layers.Dense(1, activation="sigmoid")(features))


# %% feeds the block's result back too late wrong="every block is part of the model"
def build_body(filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(32, 5, use_bias=False)(images)
    for size in filters:
        main = maps
        for _ in range(2):
            main = layers.ReLU()(layers.BatchNormalization()(main))
            main = layers.SeparableConv2D(size, 3, padding="same", use_bias=False)(main)
        main = layers.MaxPooling2D(3, strides=2, padding="same")(main)
        side = layers.Conv2D(size, 1, strides=2, use_bias=False)(maps)
        result = layers.add([main, side])
    maps = result
    features = layers.GlobalAveragePooling2D()(maps)
    return keras.Model(images, layers.Dense(1, activation="sigmoid")(features))


# %% scores for two classes wrong="output shape"
def build_body(filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(32, 5, use_bias=False)(images)
    for size in filters:
        main = maps
        for _ in range(2):
            main = layers.ReLU()(layers.BatchNormalization()(main))
            main = layers.SeparableConv2D(size, 3, padding="same", use_bias=False)(main)
        main = layers.MaxPooling2D(3, strides=2, padding="same")(main)
        side = layers.Conv2D(size, 1, strides=2, use_bias=False)(maps)
        maps = layers.add([main, side])
    features = layers.GlobalAveragePooling2D()(maps)
    return keras.Model(images, layers.Dense(2, activation="sigmoid")(features))


# %% a projection with a bias wrong="number of parameters"
def build_body(filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(32, 5, use_bias=False)(images)
    for size in filters:
        main = maps
        for _ in range(2):
            main = layers.ReLU()(layers.BatchNormalization()(main))
            main = layers.SeparableConv2D(size, 3, padding="same", use_bias=False)(main)
        main = layers.MaxPooling2D(3, strides=2, padding="same")(main)
        side = layers.Conv2D(size, 1, strides=2)(maps)
        maps = layers.add([main, side])
    features = layers.GlobalAveragePooling2D()(maps)
    return keras.Model(images, layers.Dense(1, activation="sigmoid")(features))


# %% flattens in place of pooling wrong="number of parameters"
def build_body(filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(32, 5, use_bias=False)(images)
    for size in filters:
        main = maps
        for _ in range(2):
            main = layers.ReLU()(layers.BatchNormalization()(main))
            main = layers.SeparableConv2D(size, 3, padding="same", use_bias=False)(main)
        main = layers.MaxPooling2D(3, strides=2, padding="same")(main)
        side = layers.Conv2D(size, 1, strides=2, use_bias=False)(maps)
        maps = layers.add([main, side])
    features = layers.Flatten()(maps)
    return keras.Model(images, layers.Dense(1, activation="sigmoid")(features))


# %% the shortcut starts behind the normalization wrong="outputs at inference"
def build_body(filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(32, 5, use_bias=False)(images)
    for size in filters:
        maps = layers.ReLU()(layers.BatchNormalization()(maps))
        main = layers.SeparableConv2D(size, 3, padding="same", use_bias=False)(maps)
        main = layers.ReLU()(layers.BatchNormalization()(main))
        main = layers.SeparableConv2D(size, 3, padding="same", use_bias=False)(main)
        main = layers.MaxPooling2D(3, strides=2, padding="same")(main)
        side = layers.Conv2D(size, 1, strides=2, use_bias=False)(maps)
        maps = layers.add([main, side])
    features = layers.GlobalAveragePooling2D()(maps)
    return keras.Model(images, layers.Dense(1, activation="sigmoid")(features))


# %% a relu after the sum wrong="outputs at inference"
def build_body(filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(32, 5, use_bias=False)(images)
    for size in filters:
        main = maps
        for _ in range(2):
            main = layers.ReLU()(layers.BatchNormalization()(main))
            main = layers.SeparableConv2D(size, 3, padding="same", use_bias=False)(main)
        main = layers.MaxPooling2D(3, strides=2, padding="same")(main)
        side = layers.Conv2D(size, 1, strides=2, use_bias=False)(maps)
        maps = layers.ReLU()(layers.add([main, side]))
    features = layers.GlobalAveragePooling2D()(maps)
    return keras.Model(images, layers.Dense(1, activation="sigmoid")(features))


# %% a dropout that nobody asked for wrong="outputs in training mode"
def build_body(filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(32, 5, use_bias=False)(images)
    for size in filters:
        main = maps
        for _ in range(2):
            main = layers.ReLU()(layers.BatchNormalization()(main))
            main = layers.SeparableConv2D(size, 3, padding="same", use_bias=False)(main)
        main = layers.MaxPooling2D(3, strides=2, padding="same")(main)
        side = layers.Conv2D(size, 1, strides=2, use_bias=False)(maps)
        maps = layers.add([main, side])
    features = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(maps))
    return keras.Model(images, layers.Dense(1, activation="sigmoid")(features))
