# %% canonical right="canonical"
kernels = 256 * 128 + 9 * 128 * 128 + 128 * 512 + 256 * 512
filters = 128 + 128 + 512 + 512
answer = kernels + 2 * filters

# %% lets Keras count right="other style"
whole = inputs = keras.Input((8, 8, 256))
for width, size in [(128, 1), (128, 3), (512, 1)]:
    whole = layers.Conv2D(width, size, padding="same", use_bias=False)(whole)
    whole = layers.BatchNormalization()(whole)
side = layers.BatchNormalization()(layers.Conv2D(512, 1, use_bias=False)(inputs))
block = keras.Model(inputs, layers.add([whole, side]))
answer = sum(int(np.prod(v.shape)) for v in block.trainable_variables)

# %% keeps the biases wrong="no biases"
answer = 376832 + 1280 + 2560

# %% biases in place of the shifts and scales wrong="no biases"
answer = 376832 + 1280

# %% kernels alone wrong="counts what the normalizations train"
answer = 256 * 128 + 9 * 128 * 128 + 128 * 512 + 256 * 512

# %% counts all that is stored wrong="leaves out the running statistics"
answer = 376832 + 4 * 1280

# %% forgets the shortcut wrong="the total"
answer = 256 * 128 + 9 * 128 * 128 + 128 * 512 + 2 * (128 + 128 + 512)

# %% a shortcut that reads 128 channels wrong="the total"
answer = 256 * 128 + 9 * 128 * 128 + 2 * 128 * 512 + 2 * 1280
