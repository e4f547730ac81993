# %% canonical right="canonical"
def freeze(model: keras.Model, base: keras.Model) -> keras.Model:
    base.trainable = False
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="binary_crossentropy")
    return model


# %% layer by layer, and a loss object right="other style"
def freeze(model: keras.Model, base: keras.Model) -> keras.Model:
    for layer in base.layers:
        layer.trainable = False
    optimizer = keras.optimizers.Adam(learning_rate=0.001)
    model.compile(optimizer, keras.losses.BinaryCrossentropy())
    return model


# %% the function as it was wrong="compiled anew"
def freeze(model, base):
    base.trainable = False
    return model


# %% another rate wrong="compiled anew"
def freeze(model, base):
    base.trainable = False
    model.compile("adam", "mse")
    return model


# %% keeps the optimizer wrong="compiled anew"
def freeze(model, base):
    base.trainable = False
    model.compile(model.optimizer, "binary_crossentropy")
    return model


# %% freezes everything wrong="only the head is trainable"
def freeze(model, base):
    model.trainable = False
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    return model


# %% freezes the last layer of the base wrong="only the head is trainable"
def freeze(model, base):
    base.layers[-1].trainable = False
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    return model


# %% returns the base wrong="only the head is trainable"
def freeze(model, base):
    base.trainable = False
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    return base


# %% looks at outputs in training mode first wrong="only the head moves"
def freeze(model, base):
    model(np.ones((2, *model.input.shape[1:]), "float32"), training=True)
    base.trainable = False
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    return model
