# %% canonical right="canonical"
def binary_head(features: keras.KerasTensor) -> keras.KerasTensor:
    return layers.Dense(1, activation="sigmoid")(features)


# %% the sigmoid apart right="other style"
def binary_head(features: keras.KerasTensor) -> keras.KerasTensor:
    score = layers.Dense(1)(features)
    return ops.sigmoid(score)


# %% a softmax against a fixed score of zero right="other style"
def binary_head(features: keras.KerasTensor) -> keras.KerasTensor:
    score = layers.Dense(1)(features)
    pair = ops.concatenate([ops.zeros_like(score), score], axis=-1)
    return ops.softmax(pair)[:, 1:]


# %% a softmax over one unit wrong="differs between images"
def binary_head(features):
    return layers.Dense(1, activation="softmax")(features)


# %% one unit a class wrong="output shape"
def binary_head(features):
    return layers.Dense(2, activation="softmax")(features)


# %% a softmax over two units, one of them shown wrong="number of parameters"
def binary_head(features):
    return layers.Dense(2, activation="softmax")(features)[:, 1:]


# %% a score, not a probability wrong="outputs at inference"
def binary_head(features):
    return layers.Dense(1)(features)


# %% a tanh moved into 0…1 wrong="outputs at inference"
def binary_head(features):
    return (layers.Dense(1, activation="tanh")(features) + 1) / 2


# %% a relu wrong="outputs at inference"
def binary_head(features):
    return layers.Dense(1, activation="relu")(features)


# %% a dropout in front wrong="outputs in training mode"
def binary_head(features):
    return layers.Dense(1, activation="sigmoid")(layers.Dropout(0.5)(features))
