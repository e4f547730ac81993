# %% canonical right="canonical"
height, width = 288 // 32, 160 // 32
answer = (height // 2) * (width // 2) * 2048

# %% asks Keras right="other style"
tensor_in = keras.Input((288, 160, 3))
maps = layers.AveragePooling2D(32)(tensor_in)
maps = layers.AveragePooling2D(2)(layers.Conv2D(2048, 1)(maps))
answer = layers.Flatten()(maps).shape[-1]

# %% forgets the pooling wrong="pools the map"
answer = 9 * 5 * 2048

# %% rounds up wrong="drops what fills no window"
answer = 5 * 3 * 2048

# %% counts positions wrong="counts the channels"
answer = 4 * 2

# %% takes the channels of the middle wrong="counts the channels"
answer = 4 * 2 * 512

# %% counts the weights of the dense layer wrong="the number of features"
answer = 4 * 2 * 2048 * 6 + 6

# %% forgets the pooling of the stem wrong="the number of features"
answer = 9 * 5 * 2048 // 2

# %% as with global pooling wrong="the number of features"
answer = 2048
