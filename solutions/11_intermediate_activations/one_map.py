# %% canonical right="canonical"
def map_of(stack: np.ndarray, channel: int) -> np.ndarray:
    return stack[:, :, :, channel]


# %% asks for the axis by its number right="other style"
def map_of(stack: np.ndarray, channel: int) -> np.ndarray:
    return np.take(stack, channel, axis=-1)


# %% refuses by itself right="other style"
def map_of(stack: np.ndarray, channel: int) -> np.ndarray:
    if channel >= stack.shape[-1]:
        raise IndexError(f"no map {channel}")
    return stack[..., channel : channel + 1].sum(axis=-1)


# %% the slice of the question wrong="one map an image"
def map_of(stack, channel):
    return stack[:, :, :, :channel]


# %% only the first image wrong="one map an image"
def map_of(stack, channel):
    return stack[0, :, :, channel]


# %% keeps an axis of one wrong="one map an image"
def map_of(stack, channel):
    return stack[..., channel : channel + 1]


# %% counts from one wrong="the map that was asked for"
def map_of(stack, channel):
    return stack[..., channel - 1]


# %% the sum of the maps before it wrong="the map that was asked for"
def map_of(stack, channel):
    return stack[..., : channel + 1].sum(axis=-1)


# %% an empty slice becomes zeros wrong="no such map is an error"
def map_of(stack, channel):
    return stack[..., channel : channel + 1].sum(axis=-1)


# %% begins again at the first map wrong="no such map is an error"
def map_of(stack, channel):
    return stack[..., channel % stack.shape[-1]]


# %% another kind of error wrong="no such map is an error"
def map_of(stack, channel):
    if channel >= stack.shape[-1]:
        raise ValueError(f"no map {channel}")
    return stack[..., channel]
