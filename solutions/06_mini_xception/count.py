# %% canonical right="canonical"
norms = 4 * 96 + 4 * 160
first_convolution = 9 * 96 + 96 * 160
second_convolution = 9 * 160 + 160 * 160
answer = norms + first_convolution + second_convolution + 96 * 160

# %% lets Keras count right="other style"
maps = keras.Input((20, 20, 96))
bare = {"padding": "same", "use_bias": False}
main = layers.ReLU()(layers.BatchNormalization()(maps))
main = layers.SeparableConv2D(160, 3, **bare)(main)
main = layers.ReLU()(layers.BatchNormalization()(main))
main = layers.SeparableConv2D(160, 3, **bare)(main)
main = layers.MaxPooling2D(3, strides=2, padding="same")(main)
side = layers.Conv2D(160, 1, strides=2, **bare)(maps)
answer = keras.Model(maps, layers.add([main, side])).count_params()

# %% ordinary convolutions wrong="counts separable convolutions"
answer = 4 * 96 + 4 * 160 + 9 * 96 * 160 + 9 * 160 * 160 + 96 * 160

# %% ordinary convolutions and no normalization wrong="counts separable convolutions"
answer = 9 * 96 * 160 + 9 * 160 * 160 + 96 * 160

# %% forgets the normalizations wrong="counts the normalizations"
answer = 16_224 + 27_040 + 15_360

# %% only what trains wrong="counts the normalizations"
answer = 16_224 + 27_040 + 15_360 + 2 * 96 + 2 * 160

# %% normalizes behind each convolution wrong="counts the normalizations"
answer = 16_224 + 27_040 + 15_360 + 4 * 160 + 4 * 160

# %% takes the shortcut for free wrong="counts the shortcut"
answer = 4 * 96 + 4 * 160 + 16_224 + 27_040

# %% a bias in each separable convolution wrong="has no biases"
answer = 59_648 + 2 * 160

# %% a bias in the shortcut wrong="has no biases"
answer = 59_648 + 160

# %% the second convolution reads what the first read wrong="the total"
answer = 4 * 96 + 4 * 160 + 2 * 16_224 + 15_360

# %% forgets the depthwise halves wrong="the total"
answer = 4 * 96 + 4 * 160 + 96 * 160 + 160 * 160 + 96 * 160
