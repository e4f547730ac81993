# %% canonical right="canonical"
def strided_middle_block(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    def normed(maps, n, kernel_size, step=1):
        maps = layers.Conv2D(n, kernel_size, strides=step, padding="same")(maps)
        return layers.BatchNormalization(epsilon=1.001e-5)(maps)

    wide = 4 * filters
    path = ops.relu(normed(x, filters, 1))
    path = ops.relu(normed(path, filters, 3, step=2))
    return ops.relu(normed(path, wide, 1) + normed(x, wide, 1, step=2))


# %% two Sequential paths right="other style"
def strided_middle_block(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    tiny = 1.001e-5

    def norm():
        return layers.BatchNormalization(epsilon=tiny)

    path = keras.Sequential(
        [
            layers.Conv2D(filters, 1),
            norm(),
            layers.Activation("relu"),
            layers.Conv2D(filters, 3, strides=(2, 2), padding="same"),
            norm(),
            layers.Activation("relu"),
            layers.Conv2D(filters * 4, 1),
            norm(),
        ]
    )
    beside = keras.Sequential([layers.Conv2D(filters * 4, 1, strides=(2, 2)), norm()])
    return layers.Activation("relu")(layers.add([beside(x), path(x)]))


# %% leaves the stride in the first convolution wrong="outputs at inference"
def strided_middle_block(x, filters):
    def normed(maps, n, kernel_size, step=1):
        maps = layers.Conv2D(n, kernel_size, strides=step, padding="same")(maps)
        return layers.BatchNormalization(epsilon=1.001e-5)(maps)

    path = ops.relu(normed(x, filters, 1, step=2))
    path = normed(ops.relu(normed(path, filters, 3)), 4 * filters, 1)
    return ops.relu(path + normed(x, 4 * filters, 1, step=2))


# %% strides in the last convolution wrong="outputs at inference"
def strided_middle_block(x, filters):
    def normed(maps, n, kernel_size, step=1):
        maps = layers.Conv2D(n, kernel_size, strides=step, padding="same")(maps)
        return layers.BatchNormalization(epsilon=1.001e-5)(maps)

    path = ops.relu(normed(x, filters, 1))
    path = normed(ops.relu(normed(path, filters, 3)), 4 * filters, 1, step=2)
    return ops.relu(path + normed(x, 4 * filters, 1, step=2))


# %% no activation after the sum wrong="outputs at inference"
def strided_middle_block(x, filters):
    def normed(maps, n, kernel_size, step=1):
        maps = layers.Conv2D(n, kernel_size, strides=step, padding="same")(maps)
        return layers.BatchNormalization(epsilon=1.001e-5)(maps)

    path = ops.relu(normed(x, filters, 1))
    path = ops.relu(normed(path, filters, 3, step=2))
    return normed(path, 4 * filters, 1) + normed(x, 4 * filters, 1, step=2)


# %% does not widen wrong="output shape"
def strided_middle_block(x, filters):
    def normed(maps, n, kernel_size, step=1):
        maps = layers.Conv2D(n, kernel_size, strides=step, padding="same")(maps)
        return layers.BatchNormalization(epsilon=1.001e-5)(maps)

    path = ops.relu(normed(x, filters, 1))
    path = ops.relu(normed(path, filters, 3, step=2))
    return ops.relu(normed(path, filters, 1) + normed(x, filters, 1, step=2))


# %% forgets every stride wrong="output shape"
def strided_middle_block(x, filters):
    def normed(maps, n, kernel_size):
        maps = layers.Conv2D(n, kernel_size, padding="same")(maps)
        return layers.BatchNormalization(epsilon=1.001e-5)(maps)

    path = ops.relu(normed(ops.relu(normed(x, filters, 1)), filters, 3))
    return ops.relu(normed(path, 4 * filters, 1) + normed(x, 4 * filters, 1))


# %% a projection without normalization wrong="number of parameters"
def strided_middle_block(x, filters):
    def normed(maps, n, kernel_size, step=1):
        maps = layers.Conv2D(n, kernel_size, strides=step, padding="same")(maps)
        return layers.BatchNormalization(epsilon=1.001e-5)(maps)

    path = ops.relu(normed(x, filters, 1))
    path = ops.relu(normed(path, filters, 3, step=2))
    beside = layers.Conv2D(4 * filters, 1, strides=2)(x)
    return ops.relu(normed(path, 4 * filters, 1) + beside)


# %% a dropout on the main path wrong="outputs in training mode"
def strided_middle_block(x, filters):
    def normed(maps, n, kernel_size, step=1):
        maps = layers.Conv2D(n, kernel_size, strides=step, padding="same")(maps)
        return layers.BatchNormalization(epsilon=1.001e-5)(maps)

    path = ops.relu(normed(x, filters, 1))
    path = layers.Dropout(0.5)(ops.relu(normed(path, filters, 3, step=2)))
    return ops.relu(normed(path, 4 * filters, 1) + normed(x, 4 * filters, 1, step=2))


# %% the gradient ends where the main path begins wrong="one step of training"
def strided_middle_block(x, filters):
    def normed(maps, n, kernel_size, step=1):
        maps = layers.Conv2D(n, kernel_size, strides=step, padding="same")(maps)
        return layers.BatchNormalization(epsilon=1.001e-5)(maps)

    path = ops.stop_gradient(ops.relu(normed(x, filters, 1)))
    path = ops.relu(normed(path, filters, 3, step=2))
    return ops.relu(normed(path, 4 * filters, 1) + normed(x, 4 * filters, 1, step=2))
