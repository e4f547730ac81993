# %% canonical right="canonical"
def build_resnet(
    block: Callable, filters: tuple[int, ...], input_shape: tuple[int, int, int]
) -> keras.Model:
    images = keras.Input(input_shape)
    maps = layers.Conv2D(filters[0], 3, padding="same", activation="relu")(images)
    for n in filters:
        grows = n > maps.shape[-1]
        maps = block(maps, n, 2 if grows else 1)
    features = layers.GlobalAveragePooling2D()(maps)
    return keras.Model(images, layers.Dense(10, activation="softmax")(features))


# %% strides listed first right="other style"
def build_resnet(
    block: Callable, filters: tuple[int, ...], input_shape: tuple[int, int, int]
) -> keras.Model:
    before = (filters[0], *filters[:-1])
    steps = [1 + (n > m) for m, n in zip(before, filters)]
    images = keras.Input(shape=input_shape)
    maps = layers.ReLU()(layers.Conv2D(filters[0], (3, 3), padding="same")(images))
    for n, step in zip(filters, steps):
        maps = block(maps, n, step)
    scores = layers.Dense(10)(ops.mean(maps, axis=(1, 2)))
    return keras.Model(images, layers.Softmax()(scores))


# %% halves in every block wrong="halves where the filters grow"
def build_resnet(block, filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(filters[0], 3, padding="same", activation="relu")(images)
    for n in filters:
        maps = block(maps, n, 2)
    features = layers.GlobalAveragePooling2D()(maps)
    return keras.Model(images, layers.Dense(10, activation="softmax")(features))


# %% halves in every block but the first wrong="halves where the filters grow"
def build_resnet(block, filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(filters[0], 3, padding="same", activation="relu")(images)
    for i, n in enumerate(filters):
        maps = block(maps, n, 2 if i else 1)
    features = layers.GlobalAveragePooling2D()(maps)
    return keras.Model(images, layers.Dense(10, activation="softmax")(features))


# %% never halves wrong="halves where the filters grow"
def build_resnet(block, filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(filters[0], 3, padding="same", activation="relu")(images)
    for n in filters:
        maps = block(maps, n, 1)
    features = layers.GlobalAveragePooling2D()(maps)
    return keras.Model(images, layers.Dense(10, activation="softmax")(features))


# %% halves every second block wrong="halves where the filters grow"
def build_resnet(block, filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(filters[0], 3, padding="same", activation="relu")(images)
    for i, n in enumerate(filters):
        maps = block(maps, n, 1 + i % 2)
    features = layers.GlobalAveragePooling2D()(maps)
    return keras.Model(images, layers.Dense(10, activation="softmax")(features))


# %% skips the first block wrong="one block for each number"
def build_resnet(block, filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(filters[0], 3, padding="same", activation="relu")(images)
    for n in filters[1:]:
        maps = block(maps, n, 2 if n > maps.shape[-1] else 1)
    features = layers.GlobalAveragePooling2D()(maps)
    return keras.Model(images, layers.Dense(10, activation="softmax")(features))


# %% one block for each width wrong="one block for each number"
def build_resnet(block, filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(filters[0], 3, padding="same", activation="relu")(images)
    for n in sorted(set(filters)):
        maps = block(maps, n, 2 if n > maps.shape[-1] else 1)
    features = layers.GlobalAveragePooling2D()(maps)
    return keras.Model(images, layers.Dense(10, activation="softmax")(features))


# %% gives back the maps wrong="output shape"
def build_resnet(block, filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(filters[0], 3, padding="same", activation="relu")(images)
    for n in filters:
        maps = block(maps, n, 2 if n > maps.shape[-1] else 1)
    return keras.Model(images, layers.Dense(10, activation="softmax")(maps))


# %% flattens in place of pooling wrong="number of parameters"
def build_resnet(block, filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(filters[0], 3, padding="same", activation="relu")(images)
    for n in filters:
        maps = block(maps, n, 2 if n > maps.shape[-1] else 1)
    features = layers.Flatten()(maps)
    return keras.Model(images, layers.Dense(10, activation="softmax")(features))


# %% gives scores, not probabilities wrong="outputs at inference"
def build_resnet(block, filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(filters[0], 3, padding="same", activation="relu")(images)
    for n in filters:
        maps = block(maps, n, 2 if n > maps.shape[-1] else 1)
    features = layers.GlobalAveragePooling2D()(maps)
    return keras.Model(images, layers.Dense(10)(features))


# %% a dropout before the last layer wrong="outputs in training mode"
def build_resnet(block, filters, input_shape):
    images = keras.Input(input_shape)
    maps = layers.Conv2D(filters[0], 3, padding="same", activation="relu")(images)
    for n in filters:
        maps = block(maps, n, 2 if n > maps.shape[-1] else 1)
    features = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(maps))
    return keras.Model(images, layers.Dense(10, activation="softmax")(features))
