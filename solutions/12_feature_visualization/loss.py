# %% canonical right="canonical"
def excitement(
    maps: keras.KerasTensor, filters: np.ndarray, border: int
) -> keras.KerasTensor:
    _, height, width, channels = maps.shape
    inner = maps[:, border : height - border, border : width - border, :]
    means = ops.mean(inner, axis=(1, 2))
    chosen = ops.one_hot(filters, channels)
    return ops.sum(means * chosen, axis=-1)


# %% one image after the other right="other style"
def excitement(
    maps: keras.KerasTensor, filters: np.ndarray, border: int
) -> keras.KerasTensor:
    rows = slice(border, maps.shape[1] - border)
    columns = slice(border, maps.shape[2] - border)
    values = []
    for image, k in enumerate(filters):
        values.append(ops.mean(maps[image, rows, columns, int(k)]))
    return ops.stack(values)


# %% a weight for each place right="other style"
def excitement(
    maps: keras.KerasTensor, filters: np.ndarray, border: int
) -> keras.KerasTensor:
    n, height, width, _ = maps.shape
    weight = np.zeros((height, width), "float32")
    weight[border : height - border, border : width - border] = 1
    weight /= weight.sum()
    own = ops.stack([maps[i, :, :, int(filters[i])] for i in range(n)])
    return ops.sum(own * ops.convert_to_tensor(weight), axis=(1, 2))


# %% one number for the batch wrong="one number an image"
def excitement(maps, filters, border):
    _, height, width, channels = maps.shape
    inner = maps[:, border : height - border, border : width - border, :]
    means = ops.mean(inner, axis=(1, 2))
    return ops.mean(ops.sum(means * ops.one_hot(filters, channels), axis=-1))


# %% all filters for each image wrong="one number an image"
def excitement(maps, filters, border):
    _, height, width, channels = maps.shape
    inner = maps[:, border : height - border, border : width - border, :]
    return ops.mean(inner, axis=(1, 2))


# %% the first filter for all images wrong="each image has its own filter"
def excitement(maps, filters, border):
    _, height, width, _ = maps.shape
    k = int(filters[0])
    inner = maps[:, border : height - border, border : width - border, k]
    return ops.mean(inner, axis=(1, 2))


# %% the mean over all filters wrong="each image has its own filter"
def excitement(maps, filters, border):
    _, height, width, _ = maps.shape
    inner = maps[:, border : height - border, border : width - border, :]
    return ops.mean(inner, axis=(1, 2, 3))


# %% a sum wrong="is a mean"
def excitement(maps, filters, border):
    _, height, width, channels = maps.shape
    inner = maps[:, border : height - border, border : width - border, :]
    sums = ops.sum(inner, axis=(1, 2))
    return ops.sum(sums * ops.one_hot(filters, channels), axis=-1)


# %% keeps the border wrong="leaves out the border"
def excitement(maps, filters, border):
    means = ops.mean(maps, axis=(1, 2))
    return ops.sum(means * ops.one_hot(filters, maps.shape[-1]), axis=-1)


# %% cuts off the rows alone wrong="leaves out the border"
def excitement(maps, filters, border):
    inner = maps[:, border : maps.shape[1] - border]
    means = ops.mean(inner, axis=(1, 2))
    return ops.sum(means * ops.one_hot(filters, maps.shape[-1]), axis=-1)


# %% the largest place wrong="leaves out the border"
def excitement(maps, filters, border):
    _, height, width, channels = maps.shape
    inner = maps[:, border : height - border, border : width - border, :]
    largest = ops.max(inner, axis=(1, 2))
    return ops.sum(largest * ops.one_hot(filters, channels), axis=-1)


# %% a slice that ends at minus the border wrong="a border of 0 keeps all places"
def excitement(maps, filters, border):
    inner = maps[:, border:-border, border:-border, :]
    means = ops.mean(inner, axis=(1, 2))
    return ops.sum(means * ops.one_hot(filters, maps.shape[-1]), axis=-1)


# %% takes at least one place off wrong="a border of 0 keeps all places"
def excitement(maps, filters, border):
    _, height, width, channels = maps.shape
    cut = max(border, 1)
    means = ops.mean(maps[:, cut : height - cut, cut : width - cut], axis=(1, 2))
    return ops.sum(means * ops.one_hot(filters, channels), axis=-1)


# %% NumPy's mean, which no gradient passes wrong="lets the gradient through"
def excitement(maps, filters, border):
    maps = ops.convert_to_numpy(maps)
    _, height, width, _ = maps.shape
    inner = maps[:, border : height - border, border : width - border, :]
    means = inner.mean(axis=(1, 2))
    return means[np.arange(len(filters)), filters]


# %% a detour through plain numbers wrong="lets the gradient through"
def excitement(maps, filters, border):
    _, height, width, _ = maps.shape
    found = []
    for n, k in enumerate(filters):
        inner = maps[n, border : height - border, border : width - border, int(k)]
        found.append(float(ops.mean(inner)))
    return ops.convert_to_tensor(found)
