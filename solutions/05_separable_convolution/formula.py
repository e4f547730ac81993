# %% canonical right="canonical"
def separable_parameters(
    channels: int, filters: int, kernel_size: int, depth_multiplier: int = 1
) -> int:
    between = channels * depth_multiplier
    return kernel_size**2 * between + between * filters + filters


# %% lets Keras count right="other style"
def separable_parameters(
    channels: int, filters: int, kernel_size: int, depth_multiplier: int = 1
) -> int:
    tensor = keras.Input((None, None, channels))
    pair = layers.SeparableConv2D(
        filters, kernel_size, depth_multiplier=depth_multiplier, padding="same"
    )
    return keras.Model(tensor, pair(tensor)).count_params()


# %% the formula as it was wrong="filters that differ from channels"
def separable_parameters(channels, filters, kernel_size, depth_multiplier=1):
    depthwise = kernel_size**2 * filters * depth_multiplier
    return depthwise + channels * filters + filters


# %% repairs the first line only wrong="a depth multiplier"
def separable_parameters(channels, filters, kernel_size, depth_multiplier=1):
    depthwise = kernel_size**2 * channels * depth_multiplier
    return depthwise + channels * filters + filters


# %% repairs the second line only wrong="filters that differ from channels"
def separable_parameters(channels, filters, kernel_size, depth_multiplier=1):
    depthwise = kernel_size**2 * filters * depth_multiplier
    return depthwise + channels * depth_multiplier * filters + filters


# %% one bias a channel wrong="filters that differ from channels"
def separable_parameters(channels, filters, kernel_size, depth_multiplier=1):
    n = channels * depth_multiplier
    return kernel_size**2 * n + n * filters + channels


# %% biases on both halves wrong="as many filters as channels"
def separable_parameters(channels, filters, kernel_size, depth_multiplier=1):
    n = channels * depth_multiplier
    return kernel_size**2 * n + n + n * filters + filters


# %% forgets the biases wrong="as many filters as channels"
def separable_parameters(channels, filters, kernel_size, depth_multiplier=1):
    n = channels * depth_multiplier
    return kernel_size**2 * n + n * filters


# %% a 3×3 kernel for ever wrong="other kernel sizes"
def separable_parameters(channels, filters, kernel_size, depth_multiplier=1):
    n = channels * depth_multiplier
    return 9 * n + n * filters + filters


# %% the multiplier on the biases, too wrong="a depth multiplier"
def separable_parameters(channels, filters, kernel_size, depth_multiplier=1):
    n = channels * depth_multiplier
    return kernel_size**2 * n + n * filters + filters * depth_multiplier
