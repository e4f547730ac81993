# %% canonical right="canonical"
def zero_padded_shortcut(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    kept = x[:, ::2, ::2]
    half = (filters - x.shape[-1]) // 2
    zeros = ops.zeros_like(kept[..., :1])
    blank = ops.repeat(zeros, half, axis=-1)
    return ops.concatenate([blank, kept, blank], axis=-1)


# %% by padding right="other style"
def zero_padded_shortcut(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    half = (filters - x.shape[-1]) // 2
    corner = layers.AveragePooling2D(1, strides=2)(x)
    return ops.pad(corner, [[0, 0], [0, 0], [0, 0], [half, half]])


# %% a projection wrong="number of parameters"
def zero_padded_shortcut(x, filters):
    return layers.Conv2D(filters, 1, strides=2, use_bias=False)(x)


# %% keeps every position wrong="output shape"
def zero_padded_shortcut(x, filters):
    half = (filters - x.shape[-1]) // 2
    return ops.pad(x, [[0, 0], [0, 0], [0, 0], [half, half]])


# %% adds filters to the channels wrong="output shape"
def zero_padded_shortcut(x, filters):
    return ops.pad(x[:, ::2, ::2], [[0, 0], [0, 0], [0, 0], [filters, filters]])


# %% halves the rows only wrong="output shape"
def zero_padded_shortcut(x, filters):
    half = (filters - x.shape[-1]) // 2
    return ops.pad(x[:, ::2], [[0, 0], [0, 0], [0, 0], [half, half]])


# %% all zeros behind wrong="outputs at inference"
def zero_padded_shortcut(x, filters):
    lacking = filters - x.shape[-1]
    return ops.pad(x[:, ::2, ::2], [[0, 0], [0, 0], [0, 0], [0, lacking]])


# %% averages the window wrong="outputs at inference"
def zero_padded_shortcut(x, filters):
    half = (filters - x.shape[-1]) // 2
    mean = layers.AveragePooling2D(2)(x)
    return ops.pad(mean, [[0, 0], [0, 0], [0, 0], [half, half]])


# %% takes the other corner wrong="outputs at inference"
def zero_padded_shortcut(x, filters):
    half = (filters - x.shape[-1]) // 2
    return ops.pad(x[:, 1::2, 1::2], [[0, 0], [0, 0], [0, 0], [half, half]])


# %% repeats the channels wrong="outputs at inference"
def zero_padded_shortcut(x, filters):
    kept = x[:, ::2, ::2]
    half = (filters - x.shape[-1]) // 2
    return ops.concatenate([kept[..., -half:], kept, kept[..., :half]], axis=-1)


# %% a dropout on the way wrong="outputs in training mode"
def zero_padded_shortcut(x, filters):
    half = (filters - x.shape[-1]) // 2
    kept = layers.Dropout(0.5)(x[:, ::2, ::2])
    return ops.pad(kept, [[0, 0], [0, 0], [0, 0], [half, half]])
