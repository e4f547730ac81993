# %% canonical right="canonical"
def middle_block(x: keras.KerasTensor) -> keras.KerasTensor:
    main = x
    for _ in range(3):
        main = layers.ReLU()(main)
        main = layers.SeparableConv2D(x.shape[-1], 3, padding="same", use_bias=False)(main)
        main = layers.BatchNormalization()(main)
    return layers.add([main, x])


# %% with the two halves apart right="other style"
def middle_block(x: keras.KerasTensor) -> keras.KerasTensor:
    channels, main = x.shape[-1], x
    for _ in range(3):
        main = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(ops.relu(main))
        main = layers.Conv2D(channels, 1, use_bias=False)(main)
        main = layers.BatchNormalization()(main)
    return x + main


# %% a Sequential main path right="other style"
def middle_block(x: keras.KerasTensor) -> keras.KerasTensor:
    path = keras.Sequential()
    for _ in range(3):
        path.add(layers.Activation("relu"))
        path.add(layers.SeparableConv2D(x.shape[-1], 3, padding="same", use_bias=False))
        path.add(layers.BatchNormalization())
    return layers.Add()([x, path(x)])


# %% valid padding and a cut shortcut wrong="output shape"
def middle_block(x):
    main = x
    for _ in range(3):
        main = layers.ReLU()(main)
        main = layers.SeparableConv2D(x.shape[-1], 3, use_bias=False)(main)
        main = layers.BatchNormalization()(main)
    return layers.add([main, x[:, 3:-3, 3:-3]])


# %% halves the maps, as the entry blocks do wrong="output shape"
def middle_block(x):
    main = x
    for _ in range(3):
        main = layers.ReLU()(main)
        main = layers.SeparableConv2D(x.shape[-1], 3, padding="same", use_bias=False)(main)
        main = layers.BatchNormalization()(main)
    main = layers.MaxPooling2D(3, strides=2, padding="same")(main)
    return layers.add([main, x[:, ::2, ::2]])


# %% two convolutions wrong="number of parameters"
def middle_block(x):
    main = x
    for _ in range(2):
        main = layers.ReLU()(main)
        main = layers.SeparableConv2D(x.shape[-1], 3, padding="same", use_bias=False)(main)
        main = layers.BatchNormalization()(main)
    return layers.add([main, x])


# %% projects the shortcut wrong="number of parameters"
def middle_block(x):
    main = x
    for _ in range(3):
        main = layers.ReLU()(main)
        main = layers.SeparableConv2D(x.shape[-1], 3, padding="same", use_bias=False)(main)
        main = layers.BatchNormalization()(main)
    return layers.add([main, layers.Conv2D(x.shape[-1], 1, use_bias=False)(x)])


# %% biases in the convolutions wrong="number of parameters"
def middle_block(x):
    main = x
    for _ in range(3):
        main = layers.ReLU()(main)
        main = layers.SeparableConv2D(x.shape[-1], 3, padding="same")(main)
        main = layers.BatchNormalization()(main)
    return layers.add([main, x])


# %% the order of the mini net wrong="outputs at inference"
def middle_block(x):
    main = x
    for _ in range(3):
        main = layers.BatchNormalization()(main)
        main = layers.ReLU()(main)
        main = layers.SeparableConv2D(x.shape[-1], 3, padding="same", use_bias=False)(main)
    return layers.add([main, x])


# %% a relu after the sum wrong="outputs at inference"
def middle_block(x):
    main = x
    for _ in range(3):
        main = layers.ReLU()(main)
        main = layers.SeparableConv2D(x.shape[-1], 3, padding="same", use_bias=False)(main)
        main = layers.BatchNormalization()(main)
    return layers.ReLU()(layers.add([main, x]))


# %% a relu between the halves wrong="outputs at inference"
def middle_block(x):
    channels, main = x.shape[-1], x
    for _ in range(3):
        main = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(ops.relu(main))
        main = layers.Conv2D(channels, 1, use_bias=False)(ops.relu(main))
        main = layers.BatchNormalization()(main)
    return x + main


# %% a dropout that nobody asked for wrong="outputs in training mode"
def middle_block(x):
    main = x
    for _ in range(3):
        main = layers.ReLU()(main)
        main = layers.SeparableConv2D(x.shape[-1], 3, padding="same", use_bias=False)(main)
        main = layers.BatchNormalization()(main)
    return layers.add([layers.Dropout(0.3)(main), x])


# %% stops the gradient of the main path wrong="one step of training"
def middle_block(x):
    main = x
    for _ in range(3):
        main = layers.ReLU()(main)
        main = layers.SeparableConv2D(x.shape[-1], 3, padding="same", use_bias=False)(main)
        main = ops.stop_gradient(layers.BatchNormalization()(main))
    return layers.add([main, x])
