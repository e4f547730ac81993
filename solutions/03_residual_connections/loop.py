# %% canonical right="canonical"
def build_tower(
    block: Callable, filters: tuple[int, ...], input_shape: tuple[int, int, int]
) -> keras.Model:
    images = keras.Input(input_shape)
    maps = layers.Conv2D(8, 3, padding="same", activation="relu")(images)
    for n in filters:
        maps = block(maps, n)
    scores = layers.Dense(10)(layers.GlobalAveragePooling2D()(maps))
    return keras.Model(images, scores)


# %% by recursion right="other style"
def build_tower(
    block: Callable, filters: tuple[int, ...], input_shape: tuple[int, int, int]
) -> keras.Model:
    def climb(maps, rest):
        return climb(block(maps, rest[0]), rest[1:]) if rest else maps

    images = keras.Input(shape=input_shape)
    maps = layers.Conv2D(8, (3, 3), padding="same")(images)
    maps = climb(layers.ReLU()(maps), tuple(filters))
    return keras.Model(images, layers.Dense(10)(ops.mean(maps, axis=(1, 2))))


# %% each block starts from the stem wrong="each block reads the one before"
def build_tower(block, filters, input_shape):
    images = keras.Input(input_shape)
    stem = layers.Conv2D(8, 3, padding="same", activation="relu")(images)
    for n in filters:
        maps = block(stem, n)
    scores = layers.Dense(10)(layers.GlobalAveragePooling2D()(maps))
    return keras.Model(images, scores)


# %% returns inside the loop wrong="each block reads the one before"
def build_tower(block, filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(8, 3, padding="same", activation="relu")(images)
    for n in filters:
        maps = block(maps, n)
        scores = layers.Dense(10)(layers.GlobalAveragePooling2D()(maps))
        return keras.Model(images, scores)


# %% gives back the maps wrong="output shape"
def build_tower(block, filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(8, 3, padding="same", activation="relu")(images)
    for n in filters:
        maps = block(maps, n)
    return keras.Model(images, layers.Dense(10)(maps))


# %% flattens in place of pooling wrong="number of parameters"
def build_tower(block, filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(8, 3, padding="same", activation="relu")(images)
    for n in filters:
        maps = block(maps, n)
    scores = layers.Dense(10)(layers.Flatten()(maps))
    return keras.Model(images, scores)


# %% a stem that never reaches the blocks wrong="number of parameters"
def build_tower(block, filters, input_shape):
    images = keras.Input(input_shape)
    maps = images
    for n in filters:
        maps = block(maps, n)
    scores = layers.Dense(10)(layers.GlobalAveragePooling2D()(maps))
    return keras.Model(images, scores)


# %% probabilities where scores were asked for wrong="outputs at inference"
def build_tower(block, filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(8, 3, padding="same", activation="relu")(images)
    for n in filters:
        maps = block(maps, n)
    maps = layers.GlobalAveragePooling2D()(maps)
    return keras.Model(images, layers.Dense(10, activation="softmax")(maps))


# %% a dropout before the scores wrong="outputs in training mode"
def build_tower(block, filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(8, 3, padding="same", activation="relu")(images)
    for n in filters:
        maps = block(maps, n)
    features = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(maps))
    return keras.Model(images, layers.Dense(10)(features))
