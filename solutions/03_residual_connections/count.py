# %% canonical right="canonical"
first = 3 * 3 * 48 * 96 + 96
second = 3 * 3 * 96 * 96 + 96
projection = 48 * 96 + 96
answer = first + second + projection

# %% lets Keras count right="other style"
tensor_in = keras.Input((20, 20, 48))
main = layers.Conv2D(96, 3, padding="same")(tensor_in)
main = layers.Conv2D(96, 3, padding="same")(main)
main = layers.MaxPooling2D(2, padding="same")(main)
side = layers.Conv2D(96, 1, strides=2)(tensor_in)
answer = keras.Model(tensor_in, layers.add([main, side])).count_params()

# %% forgets the biases wrong="counts the biases"
answer = 9 * 48 * 96 + 9 * 96 * 96 + 48 * 96

# %% forgets the bias of the projection wrong="counts the biases"
answer = 41568 + 83040 + 48 * 96

# %% takes the shortcut for free wrong="counts the projection"
answer = 41568 + 83040

# %% both convolutions read the block's input wrong="the second convolution reads what the first wrote"
answer = 2 * 41568 + 48 * 96 + 96

# %% projects with a 3×3 kernel wrong="the total"
answer = 41568 + 83040 + 41568

# %% multiplies by the size of the map wrong="the total"
answer = 129312 * 20 * 20
