# %% canonical right="canonical"
def separable_layer(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    return layers.Conv2D(filters, 1)(x)


# %% as a Sequential right="other style"
def separable_layer(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    in_space = layers.DepthwiseConv2D((3, 3), use_bias=False, padding="same")
    across = layers.Conv2D(filters, kernel_size=(1, 1), padding="same")
    return keras.Sequential([in_space, across])(x)


# %% a layer class for the first half right="other style"
def separable_layer(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    class InSpace(layers.Layer):
        def build(self, shape):
            self.patterns = self.add_weight(shape=(3, 3, shape[-1], 1))

        def call(self, maps):
            return ops.depthwise_conv(maps, self.patterns, padding="same")

    return layers.Conv2D(filters, (1, 1))(InSpace()(x))


# %% no pointwise half wrong="every output reads every channel"
def separable_layer(x, filters):
    m = filters // x.shape[-1]
    return layers.DepthwiseConv2D(3, padding="same", depth_multiplier=m)(x)


# %% mixes within groups only wrong="every output reads every channel"
def separable_layer(x, filters):
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    halves = ops.split(x, 2, axis=-1)
    return ops.concatenate([layers.Conv2D(filters // 2, 1)(h) for h in halves], axis=-1)


# %% a 3×3 kernel in the second layer wrong="number of parameters"
def separable_layer(x, filters):
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    return layers.Conv2D(filters, 3, padding="same")(x)


# %% keeps the multiplier wrong="number of parameters"
def separable_layer(x, filters):
    m = filters // x.shape[-1]
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=m, use_bias=False)(x)
    return layers.Conv2D(filters, 1)(x)


# %% a bias on both halves wrong="number of parameters"
def separable_layer(x, filters):
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    return layers.Conv2D(filters, 1)(x)


# %% an ordinary convolution wrong="number of parameters"
def separable_layer(x, filters):
    return layers.Conv2D(filters, 3, padding="same")(x)


# %% no padding wrong="output shape"
def separable_layer(x, filters):
    x = layers.DepthwiseConv2D(3, use_bias=False)(x)
    return layers.Conv2D(filters, 1)(x)


# %% a ReLU between the halves wrong="outputs at inference"
def separable_layer(x, filters):
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, activation="relu")(x)
    return layers.Conv2D(filters, 1)(x)


# %% a ReLU at the end wrong="outputs at inference"
def separable_layer(x, filters):
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    return layers.Conv2D(filters, 1, activation="relu")(x)


# %% a dropout between the halves wrong="outputs in training mode"
def separable_layer(x, filters):
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    return layers.Conv2D(filters, 1)(layers.SpatialDropout2D(0.5)(x))


# %% the first half never learns wrong="one step of training"
def separable_layer(x, filters):
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    return layers.Conv2D(filters, 1)(ops.stop_gradient(x))
