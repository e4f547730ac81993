# %% canonical right="canonical"
def classify(model: keras.Model, image: np.ndarray) -> float:
    batch = np.expand_dims(image, 0)
    return float(model.predict_on_batch(batch)[0, 0])


# %% calls the model itself right="other style"
def classify(model: keras.Model, image: np.ndarray) -> float:
    pixels = ops.convert_to_tensor(image[np.newaxis], dtype="float32")
    return ops.convert_to_numpy(model(pixels, training=False)).item()


# %% rescales as the model does wrong="pixels are scaled once"
def classify(model, image):
    batch = image[None].astype("float32") / 255
    return float(model.predict_on_batch(batch)[0, 0])


# %% rescales by 256 wrong="pixels are scaled once"
def classify(model, image):
    batch = image[None].astype("float32") / 256
    return float(model.predict_on_batch(batch)[0, 0])


# %% moves the pixels into -1…1 wrong="is the model's probability"
def classify(model, image):
    batch = image[None].astype("float32") / 127.5 - 1
    return float(model.predict_on_batch(batch)[0, 0])


# %% decides in place of the probability wrong="is the model's probability"
def classify(model, image):
    return float(model.predict_on_batch(image[None])[0, 0] > 0.5)


# %% the probability of the other class wrong="is the model's probability"
def classify(model, image):
    return 1 - float(model.predict_on_batch(image[None])[0, 0])


# %% the batch of one wrong="gives one number"
def classify(model, image):
    return model.predict_on_batch(image[None])


# %% a list of one wrong="gives one number"
def classify(model, image):
    return model.predict_on_batch(image[None])[0]
