# %% canonical right="canonical"
def unit_step(gradient: np.ndarray) -> np.ndarray:
    flat = gradient.reshape(len(gradient), -1)
    norm = np.linalg.norm(flat, axis=1).reshape(-1, 1, 1, 1)
    return gradient / np.maximum(norm, 1e-12)


# %% squares, sum, root right="other style"
def unit_step(gradient: np.ndarray) -> keras.KerasTensor:
    energy = ops.sum(ops.square(gradient), axis=(1, 2, 3), keepdims=True)
    return gradient / ops.sqrt(ops.maximum(energy, 1e-20))


# %% one image after the other right="other style"
def unit_step(gradient: np.ndarray) -> np.ndarray:
    steps = []
    for one in gradient:
        norm = np.sqrt(np.sum(one.astype("float64") ** 2))
        steps.append(one / norm if norm > 0 else one)
    return np.stack(steps).astype("float32")


# %% the flat steps wrong="keeps the shape"
def unit_step(gradient):
    flat = gradient.reshape(len(gradient), -1)
    norm = np.linalg.norm(flat, axis=1, keepdims=True)
    return flat / np.maximum(norm, 1e-12)


# %% each pixel on its own wrong="each image's step has length 1"
def unit_step(gradient):
    return ops.normalize(gradient)


# %% each channel on its own wrong="each image's step has length 1"
def unit_step(gradient):
    norm = np.sqrt((gradient**2).sum(axis=(1, 2), keepdims=True))
    return gradient / np.maximum(norm, 1e-12)


# %% the mean of the squares wrong="each image's step has length 1"
def unit_step(gradient):
    length = np.sqrt(np.mean(gradient**2, axis=(1, 2, 3), keepdims=True))
    return gradient / np.maximum(length, 1e-12)


# %% forgets the root wrong="each image's step has length 1"
def unit_step(gradient):
    energy = (gradient**2).sum(axis=(1, 2, 3), keepdims=True)
    return gradient / np.maximum(energy, 1e-12)


# %% the sign, made short wrong="keeps the direction"
def unit_step(gradient):
    return np.sign(gradient) / np.sqrt(gradient[0].size)


# %% each pixel on its own, then all together wrong="keeps the direction"
def unit_step(gradient):
    norm = np.linalg.norm(gradient, axis=-1, keepdims=True)
    step = gradient / np.maximum(norm, 1e-12)
    return step / np.sqrt(gradient.shape[1] * gradient.shape[2])


# %% one norm for the batch wrong="images do not share a norm"
def unit_step(gradient):
    return gradient / max(np.linalg.norm(gradient), 1e-12)


# %% divides by zero wrong="a gradient of zero stays zero"
def unit_step(gradient):
    norm = np.sqrt((gradient**2).sum(axis=(1, 2, 3), keepdims=True))
    with np.errstate(invalid="ignore"):
        return gradient / norm
