# %% canonical right="canonical"
def conv_block(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    maps = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    maps = layers.BatchNormalization(momentum=0.9)(maps)
    return layers.ReLU()(maps)


# %% as a Sequential model right="other style"
def conv_block(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    steps = keras.Sequential(
        [
            layers.Conv2D(filters, (3, 3), use_bias=False, padding="same"),
            layers.BatchNormalization(axis=-1, momentum=0.9),
            layers.Activation("relu"),
        ]
    )
    return steps(x)


# %% the block as it was wrong="an image's output is its own"
def conv_block(x, filters):
    maps = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    maps = layers.BatchNormalization(momentum=0.9)(maps, training=True)
    return layers.ReLU()(maps)


# %% normalizes by hand, by the batch wrong="number of parameters"
def conv_block(x, filters):
    maps = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    mean, variance = ops.moments(maps, axes=(0, 1, 2), keepdims=True)
    return ops.relu((maps - mean) / ops.sqrt(variance + 1e-3))


# %% freezes the layer wrong="number of parameters"
def conv_block(x, filters):
    maps = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    maps = layers.BatchNormalization(momentum=0.9, trainable=False)(maps)
    return layers.ReLU()(maps)


# %% another normalization wrong="number of parameters"
def conv_block(x, filters):
    maps = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.GroupNormalization(1)(maps))


# %% brings the bias back wrong="number of parameters"
def conv_block(x, filters):
    maps = layers.Conv2D(filters, 3, padding="same")(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(maps))


# %% forgets the padding wrong="output shape"
def conv_block(x, filters):
    maps = layers.Conv2D(filters, 3, use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(maps))


# %% normalizes after the ReLU wrong="outputs at inference"
def conv_block(x, filters):
    maps = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    return layers.BatchNormalization(momentum=0.9)(layers.ReLU()(maps))


# %% forgets the momentum wrong="outputs in training mode"
def conv_block(x, filters):
    maps = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(maps))


# %% stops the gradient at the maps wrong="one step of training"
def conv_block(x, filters):
    maps = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    maps = ops.stop_gradient(maps)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(maps))
