# %% canonical right="canonical"
def thaw(model: keras.Model, base: keras.Model, rate: float) -> keras.Model:
    def hold(piece):
        if isinstance(piece, layers.BatchNormalization):
            piece.trainable = False
        for inside in getattr(piece, "layers", []):
            hold(inside)

    base.trainable = True
    hold(base)
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    return model


# %% a list of what is still to be looked at right="other style"
def thaw(model: keras.Model, base: keras.Model, rate: float) -> keras.Model:
    base.trainable = True
    waiting = [base]
    while waiting:
        layer = waiting.pop()
        if hasattr(layer, "layers"):
            waiting.extend(layer.layers)
        elif "BatchNormalization" in type(layer).__name__:
            layer.trainable = False
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=rate),
        loss=keras.losses.BinaryCrossentropy(),
    )
    return model


# %% Keras' own list of all layers right="other style"
def thaw(model: keras.Model, base: keras.Model, rate: float) -> keras.Model:
    base.trainable = True
    for each in base._flatten_layers():
        if isinstance(each, layers.BatchNormalization):
            each.trainable = False
    model.compile(keras.optimizers.Adam(rate), loss="binary_crossentropy")
    return model


# %% the function as it was wrong="normalization is frozen"
def thaw(model, base, rate):
    model.optimizer.learning_rate = rate
    base.trainable = True
    return model


# %% compiles, and frees all wrong="normalization is frozen"
def thaw(model, base, rate):
    base.trainable = True
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    return model


# %% the first level only wrong="normalization is frozen"
def thaw(model, base, rate):
    base.trainable = True
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    return model


# %% frees all at the end wrong="normalization is frozen"
def thaw(model, base, rate):
    for layer in base._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
    base.trainable = True
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    return model


# %% frees the last layer only wrong="the base is trainable"
def thaw(model, base, rate):
    base.trainable = False
    base.layers[0].trainable = True
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    return model


# %% does not compile wrong="compiled anew"
def thaw(model, base, rate):
    base.trainable = True
    for layer in base._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
    model.optimizer.learning_rate = rate
    return model


# %% forgets the rate wrong="compiled anew"
def thaw(model, base, rate):
    base.trainable = True
    for layer in base._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
    model.compile("adam", "binary_crossentropy")
    return model


# %% runs it with the normalization free first wrong="the right weights move"
def thaw(model, base, rate):
    base.trainable = True
    model(np.ones((2, *model.input.shape[1:]), "float32"), training=True)
    for layer in base._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    return model


# %% starts the kernels anew wrong="the right weights move"
def thaw(model, base, rate):
    base.trainable = True
    for layer in base._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
    for v in base.trainable_variables:
        v.assign(0.1 * np.random.default_rng(0).normal(size=v.shape))
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    return model
