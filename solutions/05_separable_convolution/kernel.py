# %% canonical right="canonical"
def ordinary_kernel(depthwise: np.ndarray, pointwise: np.ndarray) -> np.ndarray:
    channels, patterns = depthwise.shape[2:]
    weights = pointwise[0, 0].reshape(channels, patterns, -1)
    return np.einsum("abcm,cmf->abcf", depthwise, weights)


# %% with a loop over the ways right="other style"
def ordinary_kernel(depthwise: np.ndarray, pointwise: np.ndarray) -> np.ndarray:
    m = depthwise.shape[-1]
    ways = [depthwise[..., i : i + 1] * pointwise[:, :, i::m] for i in range(m)]
    return sum(ways)


# %% multiplies as if there were one pattern wrong="several patterns for each channel"
def ordinary_kernel(depthwise, pointwise):
    channels = depthwise.shape[2]
    return depthwise[..., :1] * pointwise[:, :, :channels]


# %% takes the patterns for the slow axis wrong="several patterns for each channel"
def ordinary_kernel(depthwise, pointwise):
    c, m = depthwise.shape[2:]
    w = pointwise[0, 0].reshape(m, c, -1)
    return np.einsum("abcm,mcf->abcf", depthwise, w)


# %% lists the patterns side by side wrong="has the shape of an ordinary kernel"
def ordinary_kernel(depthwise, pointwise):
    k = depthwise.shape[0]
    return depthwise.reshape(k, k, -1, 1) * pointwise


# %% adds where it should multiply wrong="one pattern for each channel"
def ordinary_kernel(depthwise, pointwise):
    c, m = depthwise.shape[2:]
    w = pointwise[0, 0].reshape(c, m, -1)
    return (depthwise[..., None] + w).sum(axis=3)


# %% takes the mean of the patterns wrong="several patterns for each channel"
def ordinary_kernel(depthwise, pointwise):
    c, m = depthwise.shape[2:]
    w = pointwise[0, 0].reshape(c, m, -1)
    return (depthwise[..., None] * w).mean(axis=3)
