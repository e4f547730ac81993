# %% canonical right="canonical"
def class_probabilities(
    features: keras.KerasTensor, num_classes: int
) -> keras.KerasTensor:
    return layers.Dense(num_classes, activation="softmax")(features)


# %% the softmax apart right="other style"
def class_probabilities(
    features: keras.KerasTensor, num_classes: int
) -> keras.KerasTensor:
    scores = layers.Dense(num_classes)(features)
    return ops.softmax(scores)


# %% by its formula right="other style"
def class_probabilities(
    features: keras.KerasTensor, num_classes: int
) -> keras.KerasTensor:
    scores = layers.Dense(num_classes)(features)
    powers = ops.exp(scores - ops.max(scores, axis=1, keepdims=True))
    return powers / ops.sum(powers, axis=1, keepdims=True)


# %% a sigmoid for each class wrong="sums to one"
def class_probabilities(features, num_classes):
    return layers.Dense(num_classes, activation="sigmoid")(features)


# %% scores wrong="sums to one"
def class_probabilities(features, num_classes):
    return layers.Dense(num_classes)(features)


# %% a softmax over the batch wrong="sums to one"
def class_probabilities(features, num_classes):
    return ops.softmax(layers.Dense(num_classes)(features), axis=0)


# %% sigmoids, divided by their sum wrong="outputs at inference"
def class_probabilities(features, num_classes):
    y = layers.Dense(num_classes, activation="sigmoid")(features)
    return y / ops.sum(y, axis=-1, keepdims=True)


# %% a softmax of sigmoids wrong="outputs at inference"
def class_probabilities(features, num_classes):
    y = layers.Dense(num_classes, activation="sigmoid")(features)
    return layers.Softmax()(y)


# %% one unit wrong="output shape"
def class_probabilities(features, num_classes):
    return layers.Dense(1, activation="sigmoid")(features)


# %% one unit too many wrong="output shape"
def class_probabilities(features, num_classes):
    return layers.Dense(num_classes + 1, activation="softmax")(features)


# %% a hidden layer more wrong="number of parameters"
def class_probabilities(features, num_classes):
    x = layers.Dense(num_classes, activation="relu")(features)
    return layers.Dense(num_classes, activation="softmax")(x)


# %% no bias wrong="number of parameters"
def class_probabilities(features, num_classes):
    return layers.Dense(num_classes, use_bias=False, activation="softmax")(features)


# %% a dropout in front wrong="outputs in training mode"
def class_probabilities(features, num_classes):
    features = layers.Dropout(0.5)(features)
    return layers.Dense(num_classes, activation="softmax")(features)
