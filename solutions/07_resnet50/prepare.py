# %% canonical right="canonical"
def prepare_one(
    picture: np.ndarray, mean: np.ndarray, spread: np.ndarray
) -> np.ndarray:
    scaled = picture[None] / 255
    return ((scaled - mean) / spread).astype("float32")


# %% in the units of bytes right="other style"
def prepare_one(
    picture: np.ndarray, mean: np.ndarray, spread: np.ndarray
) -> np.ndarray:
    shifted = np.asarray(picture, "float32") - 255 * np.asarray(mean, "float32")
    one = shifted / (255 * np.asarray(spread, "float32"))
    return np.expand_dims(one, axis=0)


# %% with a layer right="other style"
def prepare_one(
    picture: np.ndarray, mean: np.ndarray, spread: np.ndarray
) -> np.ndarray:
    rescale = layers.Rescaling(1 / (255 * spread), offset=-mean / spread)
    batch = rescale(picture[np.newaxis].astype("float32"))
    return ops.convert_to_numpy(batch)


# %% no batch wrong="is a batch of one"
def prepare_one(picture, mean, spread):
    return ((picture / 255 - mean) / spread).astype("float32")


# %% the batch at the end wrong="is a batch of one"
def prepare_one(picture, mean, spread):
    return ((picture / 255 - mean) / spread).astype("float32")[..., None]


# %% in double precision wrong="is float32"
def prepare_one(picture, mean, spread):
    return (picture[None] / 255 - mean) / spread


# %% no scale wrong="is on the scale of 0 to 1"
def prepare_one(picture, mean, spread):
    return ((picture[None] - mean) / spread).astype("float32")


# %% the picture's own mean and spread wrong="uses the numbers of the training"
def prepare_one(picture, mean, spread):
    scaled = picture[None] / 255
    own = scaled.mean(axis=(0, 1, 2)), scaled.std(axis=(0, 1, 2)) + 1e-7
    return ((scaled - own[0]) / own[1]).astype("float32")


# %% forgets the mean wrong="the values"
def prepare_one(picture, mean, spread):
    return (picture[None] / 255 / spread).astype("float32")


# %% blue first wrong="the values"
def prepare_one(picture, mean, spread):
    scaled = picture[None, ..., ::-1] / 255
    return ((scaled - mean) / spread).astype("float32")


# %% between −1 and 1 wrong="the values"
def prepare_one(picture, mean, spread):
    return (picture[None] / 127.5 - 1).astype("float32")


# %% divides first wrong="the values"
def prepare_one(picture, mean, spread):
    return (picture[None] / 255 / spread - mean).astype("float32")
