# %% canonical right="canonical"
def prepare(images: np.ndarray) -> np.ndarray:
    white = 255 if images.dtype == np.uint8 else 1
    return (images.astype("float32") / white) * 2 - 1


# %% the two forms apart right="other style"
def prepare(images: np.ndarray) -> np.ndarray:
    if np.issubdtype(images.dtype, np.integer):
        return np.divide(images, 127.5, dtype=np.float32) - np.float32(1)
    return np.float32(2) * (images.astype(np.float32) - np.float32(0.5))


# %% from 0 to 1 wrong="bytes from −1 to 1"
def prepare(images):
    images = images.astype("float32")
    return images / 255


# %% the scale of another network wrong="bytes from −1 to 1"
def prepare(images):
    white = 255 if images.dtype == np.uint8 else 1
    return (images.astype("float32") * (255 / white) - 127) / 128


# %% subtracts in bytes, which have no sign wrong="bytes from −1 to 1"
def prepare(images):
    if images.dtype == np.uint8:
        return ((images - 127) / 127.5).astype("float32")
    return (images * 2 - 1).astype("float32")


# %% all images are bytes wrong="floats from −1 to 1"
def prepare(images):
    return images.astype("float32") / 127.5 - 1


# %% floats stay as they are wrong="floats from −1 to 1"
def prepare(images):
    if images.dtype == np.uint8:
        return images.astype("float32") / 127.5 - 1
    return images.astype("float32")


# %% takes only float32 for floats wrong="floats from −1 to 1"
def prepare(images):
    white = 1 if images.dtype == np.float32 else 255
    return images.astype("float32") / white * 2 - 1


# %% asks for the largest value wrong="the type decides, not the values"
def prepare(images):
    white = 255 if images.max() > 1 else 1
    return images.astype("float32") / white * 2 - 1


# %% in double precision wrong="gives float32"
def prepare(images):
    white = 255 if images.dtype == np.uint8 else 1
    return images.astype("float64") / white * 2 - 1


# %% only the first image wrong="keeps the shape"
def prepare(images):
    white = 255 if images.dtype == np.uint8 else 1
    return images[0].astype("float32") / white * 2 - 1
