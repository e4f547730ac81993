# %% canonical right="canonical"
def build_stack(depth: int, filters: int, seed: int) -> keras.Model:
    seeds = np.random.SeedSequence(seed).generate_state(depth)
    model = keras.Sequential([keras.Input((16, 16, filters))])
    for own in seeds:
        he = keras.initializers.HeNormal(seed=int(own) % 2**31)
        model.add(layers.Conv2D(filters, 3, padding="same", kernel_initializer=he))
        model.add(layers.ReLU())
    return model


# %% one seed for the whole program right="other style"
def build_stack(depth: int, filters: int, seed: int) -> keras.Model:
    keras.utils.set_random_seed(int(seed))
    images = keras.Input((16, 16, filters))
    maps = images
    for _ in range(depth):
        maps = layers.Conv2D(
            filters, 3, padding="same", activation="relu", kernel_initializer="he_normal"
        )(maps)
    return keras.Model(images, maps)


# %% counts upwards right="other style"
def build_stack(depth: int, filters: int, seed: int) -> keras.Model:
    images = keras.Input((16, 16, filters))
    maps = images
    for i in range(depth):
        he = keras.initializers.HeNormal(seed=1000 * seed + i)
        conv = layers.Conv2D(filters, 3, padding="same", kernel_initializer=he)
        maps = ops.relu(conv(maps))
    return keras.Model(images, maps)


# %% a generator of seeds right="other style"
def build_stack(depth: int, filters: int, seed: int) -> keras.Model:
    he = keras.initializers.HeNormal(seed=keras.random.SeedGenerator(seed))
    model = keras.Sequential([keras.Input((16, 16, filters))])
    for _ in range(depth):
        model.add(layers.Conv2D(filters, 3, padding="same", kernel_initializer=he))
        model.add(layers.Activation("relu"))
    return model


# %% the same seed in each layer wrong="every kernel is its own"
def build_stack(depth, filters, seed):
    model = keras.Sequential([keras.Input((16, 16, filters))])
    for _ in range(depth):
        he = keras.initializers.HeNormal(seed=seed)
        model.add(layers.Conv2D(filters, 3, padding="same", kernel_initializer=he))
        model.add(layers.ReLU())
    return model


# %% one object for all layers wrong="every kernel is its own"
def build_stack(depth, filters, seed):
    he = keras.initializers.HeNormal(seed=seed)
    model = keras.Sequential([keras.Input((16, 16, filters))])
    for _ in range(depth):
        model.add(layers.Conv2D(filters, 3, padding="same", kernel_initializer=he))
        model.add(layers.ReLU())
    return model


# %% seeds the program again in the loop wrong="every kernel is its own"
def build_stack(depth, filters, seed):
    model = keras.Sequential([keras.Input((16, 16, filters))])
    for _ in range(depth):
        keras.utils.set_random_seed(seed)
        conv = layers.Conv2D(filters, 3, padding="same", kernel_initializer="he_normal")
        model.add(conv)
        model.add(layers.ReLU())
    return model


# %% new numbers each time wrong="the same seed gives the same model"
def build_stack(depth, filters, seed):
    model = keras.Sequential([keras.Input((16, 16, filters))])
    for _ in range(depth):
        conv = layers.Conv2D(filters, 3, padding="same", kernel_initializer="he_normal")
        model.add(conv)
        model.add(layers.ReLU())
    return model


# %% forgets the seed wrong="another seed gives another model"
def build_stack(depth, filters, seed):
    model = keras.Sequential([keras.Input((16, 16, filters))])
    for i in range(depth):
        he = keras.initializers.HeNormal(seed=i)
        model.add(layers.Conv2D(filters, 3, padding="same", kernel_initializer=he))
        model.add(layers.ReLU())
    return model


# %% the default initializer wrong="starts with He's spread"
def build_stack(depth, filters, seed):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((16, 16, filters))])
    for _ in range(depth):
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
    return model


# %% one layer, used again and again wrong="has the parameters"
def build_stack(depth, filters, seed):
    he = keras.initializers.HeNormal(seed=seed)
    conv = layers.Conv2D(filters, 3, padding="same", kernel_initializer=he)
    images = keras.Input((16, 16, filters))
    maps = images
    for _ in range(depth):
        maps = ops.relu(conv(maps))
    return keras.Model(images, maps)


# %% without biases wrong="has the parameters"
def build_stack(depth, filters, seed):
    model = keras.Sequential([keras.Input((16, 16, filters))])
    for i in range(depth):
        he = keras.initializers.HeNormal(seed=seed + i)
        model.add(
            layers.Conv2D(
                filters, 3, padding="same", use_bias=False, kernel_initializer=he
            )
        )
        model.add(layers.ReLU())
    return model


# %% no activation wrong="keeps the shape, and ends in ReLU"
def build_stack(depth, filters, seed):
    model = keras.Sequential([keras.Input((16, 16, filters))])
    for i in range(depth):
        he = keras.initializers.HeNormal(seed=seed + i)
        model.add(layers.Conv2D(filters, 3, padding="same", kernel_initializer=he))
    return model


# %% forgets the padding wrong="keeps the shape, and ends in ReLU"
def build_stack(depth, filters, seed):
    model = keras.Sequential([keras.Input((16, 16, filters))])
    for i in range(depth):
        he = keras.initializers.HeNormal(seed=seed + i)
        model.add(layers.Conv2D(filters, 3, kernel_initializer=he, activation="relu"))
    return model
