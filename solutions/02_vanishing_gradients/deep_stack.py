# %% canonical right="canonical"
def build_stack(depth: int, units: int) -> keras.Model:
    hidden = [
        layers.Dense(units, activation="relu", kernel_initializer="he_normal")
        for _ in range(depth)
    ]
    head = layers.Dense(10, activation="softmax")
    return keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), *hidden, head])


# %% functional, uniform, with layers of their own for the activations right="other style"
def build_stack(depth: int, units: int) -> keras.Model:
    pixels = keras.Input((28, 28, 1))
    signal = layers.Reshape((784,))(pixels)
    while depth:
        signal = layers.Dense(units, kernel_initializer="he_uniform")(signal)
        signal, depth = layers.ReLU()(signal), depth - 1
    return keras.Model(pixels, layers.Softmax()(layers.Dense(10)(signal)))


# %% subclassed, with the standard deviation written out right="other style"
def build_stack(depth: int, units: int) -> keras.Model:
    class Stack(keras.Model):
        def __init__(self):
            super().__init__()
            fans = [784] + [units] * (depth - 1)
            normals = [keras.initializers.RandomNormal(0, (2 / n) ** 0.5) for n in fans]
            self.steps = [layers.Dense(units, kernel_initializer=i) for i in normals]
            self.last = layers.Dense(10)

        def call(self, x):
            x = ops.reshape(x, (-1, 784))
            for step in self.steps:
                x = ops.relu(step(x))
            return ops.softmax(self.last(x))

    return Stack()


# %% forgets to flatten wrong="output shape"
def build_stack(depth, units):
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for _ in range(depth):
        model.add(layers.Dense(units, "relu", kernel_initializer="he_normal"))
    model.add(layers.Dense(10, "softmax"))
    return model


# %% every layer reads the input wrong="number of parameters"
def build_stack(depth, units):
    image = keras.Input((28, 28, 1))
    flat = layers.Flatten()(image)
    for _ in range(depth):
        x = layers.Dense(units, "relu", kernel_initializer="he_normal")(flat)
    return keras.Model(image, layers.Dense(10, "softmax")(x))


# %% one layer too few wrong="number of parameters"
def build_stack(depth, units):
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten()])
    for _ in range(1, depth):
        model.add(layers.Dense(units, "relu", kernel_initializer="he_normal"))
    model.add(layers.Dense(10, "softmax"))
    return model


# %% the same layer again and again wrong="number of parameters"
def build_stack(depth, units):
    image = keras.Input((28, 28, 1))
    x = layers.Flatten()(image)
    x = layers.Dense(units, "relu", kernel_initializer="he_normal")(x)
    layer = layers.Dense(units, "relu", kernel_initializer="he_normal")
    for _ in range(depth - 1):
        x = layer(x)
    return keras.Model(image, layers.Dense(10, "softmax")(x))


# %% forgets the activation wrong="outputs at inference"
def build_stack(depth, units):
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten()])
    for _ in range(depth):
        model.add(layers.Dense(units, kernel_initializer="he_normal"))
    model.add(layers.Dense(10, "softmax"))
    return model


# %% gives back logits wrong="outputs at inference"
def build_stack(depth, units):
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten()])
    for _ in range(depth):
        model.add(layers.Dense(units, "relu", kernel_initializer="he_normal"))
    model.add(layers.Dense(10))
    return model


# %% leaves the initialization to Keras wrong="starts with He's variance"
def build_stack(depth, units):
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten()])
    for _ in range(depth):
        model.add(layers.Dense(units, "relu"))
    model.add(layers.Dense(10, "softmax"))
    return model


# %% takes the variance for the standard deviation wrong="starts with He's variance"
def build_stack(depth, units):
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten()])
    for _ in range(depth):
        start = keras.initializers.RandomNormal(stddev=2 / units)
        model.add(layers.Dense(units, "relu", kernel_initializer=start))
    model.add(layers.Dense(10, "softmax"))
    return model


# %% one initializer object for all wrong="each layer starts with its own numbers"
def build_stack(depth, units):
    start = keras.initializers.HeNormal()
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten()])
    for _ in range(depth):
        model.add(layers.Dense(units, "relu", kernel_initializer=start))
    model.add(layers.Dense(10, "softmax"))
    return model


# %% the same seed in every layer wrong="each layer starts with its own numbers"
def build_stack(depth, units):
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten()])
    for _ in range(depth):
        start = keras.initializers.HeNormal(seed=7)
        model.add(layers.Dense(units, "relu", kernel_initializer=start))
    model.add(layers.Dense(10, "softmax"))
    return model


# %% a dropout before the head wrong="outputs in training mode"
def build_stack(depth, units):
    hidden = [
        layers.Dense(units, activation="relu", kernel_initializer="he_normal")
        for _ in range(depth)
    ]
    head = [layers.Dropout(0.5), layers.Dense(10, activation="softmax")]
    return keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), *hidden, *head])
