# %% canonical right="canonical"
def downsampling_block(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    skip = layers.Conv2D(filters, 1, strides=2)(x)
    main = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    main = layers.Conv2D(filters, 3, padding="same")(main)
    main = layers.MaxPooling2D(2, padding="same")(main)
    return ops.relu(main + skip)


# %% the two paths as Sequential models right="other style"
def downsampling_block(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    path = keras.Sequential(
        [
            layers.Conv2D(filters, 3, padding="same"),
            layers.ReLU(),
            layers.Conv2D(filters, 3, padding="same"),
            layers.MaxPool2D((2, 2), strides=(2, 2), padding="same"),
        ]
    )
    skip = layers.Conv2D(filters, 1, strides=2, padding="same")
    return layers.ReLU()(layers.Add()([path(x), skip(x)]))


# %% leaves the pooling as it was wrong="fits on an odd side"
def downsampling_block(x, filters):
    skip = layers.Conv2D(filters, 1, strides=2)(x)
    main = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    main = layers.Conv2D(filters, 3, padding="same")(main)
    main = layers.MaxPooling2D(2)(main)
    return ops.relu(main + skip)


# %% pads the projection instead wrong="fits on an odd side"
def downsampling_block(x, filters):
    skip = layers.Conv2D(filters, 1, strides=2, padding="same")(x)
    main = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    main = layers.Conv2D(filters, 3, padding="same")(main)
    main = layers.MaxPooling2D(2, padding="valid")(main)
    return ops.relu(main + skip)


# %% cuts the shortcut to fit wrong="odd side: output shape"
def downsampling_block(x, filters):
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    skip = layers.Conv2D(filters, 1, strides=2)(x[:, :height, :width])
    main = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    main = layers.Conv2D(filters, 3, padding="same")(main)
    main = layers.MaxPooling2D(2)(main)
    return ops.relu(main + skip)


# %% pads with zeros before pooling wrong="odd side: outputs at inference"
def downsampling_block(x, filters):
    skip = layers.Conv2D(filters, 1, strides=2)(x)
    main = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    main = layers.Conv2D(filters, 3, padding="same")(main)
    main = layers.ZeroPadding2D(((0, 1), (0, 1)))(main)
    main = layers.MaxPooling2D(2)(main)
    return ops.relu(main + skip)


# %% strides in place of pooling wrong="even side: outputs at inference"
def downsampling_block(x, filters):
    skip = layers.Conv2D(filters, 1, strides=2)(x)
    main = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    main = layers.Conv2D(filters, 3, strides=2, padding="same")(main)
    return ops.relu(main + skip)


# %% a kernel of 2×2 on the shortcut wrong="even side: number of parameters"
def downsampling_block(x, filters):
    skip = layers.Conv2D(filters, 2, strides=2, padding="same")(x)
    main = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    main = layers.Conv2D(filters, 3, padding="same")(main)
    main = layers.MaxPooling2D(2, padding="same")(main)
    return ops.relu(main + skip)


# %% forgets the activation after the sum wrong="even side: outputs at inference"
def downsampling_block(x, filters):
    skip = layers.Conv2D(filters, 1, strides=2)(x)
    main = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    main = layers.Conv2D(filters, 3, padding="same")(main)
    return layers.MaxPooling2D(2, padding="same")(main) + skip
