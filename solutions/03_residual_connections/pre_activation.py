# %% canonical right="canonical"
def pre_activation_block(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    main = x
    for _ in range(2):
        main = layers.BatchNormalization()(main)
        main = layers.ReLU()(main)
        main = layers.Conv2D(filters, 3, padding="same")(main)
    if x.shape[-1] == filters:
        return layers.add([main, x])
    return layers.add([main, layers.Conv2D(filters, 1)(x)])


# %% a Sequential main path right="other style"
def pre_activation_block(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    path = keras.Sequential(
        [
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Conv2D(filters, 3, padding="same"),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Conv2D(filters, 3, padding="same"),
        ]
    )
    skip = layers.Conv2D(filters, 1)(x) if x.shape[-1] != filters else x
    return path(x) + skip


# %% a layer class right="other style"
class PreActivation(layers.Layer):
    def __init__(self, filters):
        super().__init__()
        self.filters = filters
        self.norm1, self.norm2 = (layers.BatchNormalization() for _ in range(2))
        self.conv1, self.conv2 = (
            layers.Conv2D(filters, 3, padding="same") for _ in range(2)
        )
        self.skip = None

    def build(self, shape):
        maps = (*shape[:-1], self.filters)
        self.norm1.build(shape)
        self.conv1.build(shape)
        self.norm2.build(maps)
        self.conv2.build(maps)
        if shape[-1] != self.filters:
            self.skip = layers.Conv2D(self.filters, 1)
            self.skip.build(shape)

    def call(self, x, training=None):
        main = self.conv1(ops.relu(self.norm1(x, training=training)))
        main = self.conv2(ops.relu(self.norm2(main, training=training)))
        return main + (x if self.skip is None else self.skip(x))


def pre_activation_block(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    return PreActivation(filters)(x)


# %% projects even where the shape stays wrong="same shape: number of parameters"
def pre_activation_block(x, filters):
    main = x
    for _ in range(2):
        main = layers.BatchNormalization()(main)
        main = layers.ReLU()(main)
        main = layers.Conv2D(filters, 3, padding="same")(main)
    return layers.add([main, layers.Conv2D(filters, 1)(x)])


# %% an activation after the sum wrong="same shape: outputs at inference"
def pre_activation_block(x, filters):
    main = x
    for _ in range(2):
        main = layers.BatchNormalization()(main)
        main = layers.ReLU()(main)
        main = layers.Conv2D(filters, 3, padding="same")(main)
    skip = x if x.shape[-1] == filters else layers.Conv2D(filters, 1)(x)
    return layers.ReLU()(layers.add([main, skip]))


# %% the shortcut starts after the normalization wrong="same shape: outputs at inference"
def pre_activation_block(x, filters):
    x = layers.BatchNormalization()(x)
    main = layers.Conv2D(filters, 3, padding="same")(layers.ReLU()(x))
    main = layers.ReLU()(layers.BatchNormalization()(main))
    main = layers.Conv2D(filters, 3, padding="same")(main)
    skip = x if x.shape[-1] == filters else layers.Conv2D(filters, 1)(x)
    return layers.add([main, skip])


# %% the order of the original block wrong="same shape: outputs at inference"
def pre_activation_block(x, filters):
    main = x
    for _ in range(2):
        main = layers.Conv2D(filters, 3, padding="same")(main)
        main = layers.BatchNormalization()(main)
        main = layers.ReLU()(main)
    skip = x if x.shape[-1] == filters else layers.Conv2D(filters, 1)(x)
    return layers.add([main, skip])


# %% a dropout that nobody asked for wrong="same shape: outputs in training mode"
def pre_activation_block(x, filters):
    main = x
    for _ in range(2):
        main = layers.BatchNormalization()(main)
        main = layers.ReLU()(main)
        main = layers.Conv2D(filters, 3, padding="same")(main)
    main = layers.Dropout(0.2)(main)
    skip = x if x.shape[-1] == filters else layers.Conv2D(filters, 1)(x)
    return layers.add([main, skip])


# %% one normalization, used twice wrong="same shape: number of parameters"
def pre_activation_block(x, filters):
    norm = layers.BatchNormalization()
    main = layers.Conv2D(filters, 3, padding="same")(layers.ReLU()(norm(x)))
    if filters != x.shape[-1]:
        norm, x = layers.BatchNormalization(), layers.Conv2D(filters, 1)(x)
    main = layers.Conv2D(filters, 3, padding="same")(layers.ReLU()(norm(main)))
    return layers.add([main, x])


# %% stops the gradient where the main path begins wrong="same shape: one step of training"
def pre_activation_block(x, filters):
    main = layers.ReLU()(layers.BatchNormalization()(x))
    main = layers.Conv2D(filters, 3, padding="same")(main)
    main = layers.ReLU()(layers.BatchNormalization()(ops.stop_gradient(main)))
    main = layers.Conv2D(filters, 3, padding="same")(main)
    skip = x if x.shape[-1] == filters else layers.Conv2D(filters, 1)(x)
    return layers.add([main, skip])


# %% keeps the number of channels it was given wrong="more filters: output shape"
def pre_activation_block(x, filters):
    main = x
    for _ in range(2):
        main = layers.BatchNormalization()(main)
        main = layers.ReLU()(main)
        main = layers.Conv2D(x.shape[-1], 3, padding="same")(main)
    return layers.add([main, x])


# %% a projection without a bias wrong="more filters: number of parameters"
def pre_activation_block(x, filters):
    main = x
    for _ in range(2):
        main = layers.BatchNormalization()(main)
        main = layers.ReLU()(main)
        main = layers.Conv2D(filters, 3, padding="same")(main)
    if x.shape[-1] != filters:
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
    return layers.add([main, x])


# %% an activation on the projection wrong="more filters: outputs at inference"
def pre_activation_block(x, filters):
    main = x
    for _ in range(2):
        main = layers.BatchNormalization()(main)
        main = layers.ReLU()(main)
        main = layers.Conv2D(filters, 3, padding="same")(main)
    if x.shape[-1] != filters:
        x = layers.Conv2D(filters, 1, activation="relu")(x)
    return layers.add([main, x])


# %% a dropout on the projection wrong="more filters: outputs in training mode"
def pre_activation_block(x, filters):
    main = x
    for _ in range(2):
        main = layers.BatchNormalization()(main)
        main = layers.ReLU()(main)
        main = layers.Conv2D(filters, 3, padding="same")(main)
    if x.shape[-1] != filters:
        x = layers.Dropout(0.5)(layers.Conv2D(filters, 1)(x))
    return layers.add([main, x])
