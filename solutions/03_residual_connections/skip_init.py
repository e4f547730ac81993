# %% canonical right="canonical"
class SkipInit(layers.Layer):
    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        self.alpha = self.add_weight(shape=(), initializer="zeros", name="alpha")

    def call(self, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        shortcut, branch = inputs
        return shortcut + self.alpha * branch


# %% the weight is made in the constructor right="other style"
class SkipInit(keras.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.gain = keras.Variable(np.zeros((1,), "float32"))

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        super().build(input_shape)

    def call(self, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        return ops.add(inputs[0], ops.multiply(inputs[1], self.gain))


# %% starts at one wrong="starts as the shortcut"
class SkipInit(layers.Layer):
    def build(self, input_shape):
        self.alpha = self.add_weight(shape=(), initializer="ones", name="alpha")

    def call(self, inputs):
        shortcut, branch = inputs
        return shortcut + self.alpha * branch


# %% scales the whole sum wrong="starts as the shortcut"
class SkipInit(layers.Layer):
    def build(self, input_shape):
        self.alpha = self.add_weight(shape=(), initializer="zeros", name="alpha")

    def call(self, inputs):
        shortcut, branch = inputs
        return self.alpha * (shortcut + branch)


# %% an activation after the sum wrong="starts as the shortcut"
class SkipInit(layers.Layer):
    def build(self, input_shape):
        self.alpha = self.add_weight(shape=(), initializer="zeros", name="alpha")

    def call(self, inputs):
        shortcut, branch = inputs
        return ops.relu(shortcut + self.alpha * branch)


# %% a number that no optimizer sees wrong="has one trainable number"
class SkipInit(layers.Layer):
    def build(self, input_shape):
        self.alpha = 0.0

    def call(self, inputs):
        shortcut, branch = inputs
        return shortcut + self.alpha * branch


# %% one number for each channel wrong="has one trainable number"
class SkipInit(layers.Layer):
    def build(self, input_shape):
        channels = input_shape[0][-1]
        self.alpha = self.add_weight(shape=(channels,), initializer="zeros")

    def call(self, inputs):
        shortcut, branch = inputs
        return shortcut + self.alpha * branch


# %% mixes the two, as a highway network does wrong="scales the main path only"
class SkipInit(layers.Layer):
    def build(self, input_shape):
        self.alpha = self.add_weight(shape=(), initializer="zeros", name="alpha")

    def call(self, inputs):
        shortcut, branch = inputs
        return (1 - self.alpha) * shortcut + self.alpha * branch


# %% joins the tensors side by side wrong="keeps the shape"
class SkipInit(layers.Layer):
    def build(self, input_shape):
        self.alpha = self.add_weight(shape=(), initializer="zeros", name="alpha")

    def call(self, inputs):
        shortcut, branch = inputs
        return ops.concatenate([shortcut, self.alpha * branch], axis=-1)
