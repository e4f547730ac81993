# %% canonical right="canonical"
after_convolution = (224 + 2 * 3 - 7) // 2 + 1
answer = (after_convolution + 2 * 1 - 3) // 2 + 1

# %% asks Keras right="a library"
image = layers.ZeroPadding2D(3)(keras.Input((224, 224, 3)))
maps = layers.ZeroPadding2D(1)(layers.Conv2D(64, 7, strides=2)(image))
answer = layers.MaxPooling2D(3, strides=2)(maps).shape[1]

# %% stops after the convolution wrong="goes through both layers"
answer = 112

# %% no padding at all wrong="pads both layers"
answer = 54

# %% no padding in the pooling wrong="pads both layers"
answer = 55

# %% leaves the half position wrong="rounds down"
answer = 56.5

# %% rounds up wrong="rounds down"
answer = 57

# %% halves once more wrong="the width"
answer = 28
