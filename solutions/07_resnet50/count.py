# %% canonical right="canonical"
down = 256 * 128 + 128
middle = 3 * 3 * 128 * 128 + 128
up = 128 * 512 + 512
side = 256 * 512 + 512
answer = down + middle + up + side + 4 * (128 + 128 + 512 + 512)

# %% lets Keras count right="other style"
tensor_in = keras.Input((56, 56, 256))
path = tensor_in
for filters, kernel_size in [(128, 1), (128, 3), (512, 1)]:
    path = layers.Conv2D(filters, kernel_size, padding="same")(path)
    path = layers.BatchNormalization()(path)
beside = layers.BatchNormalization()(layers.Conv2D(512, 1)(tensor_in))
answer = keras.Model(tensor_in, layers.add([path, beside])).count_params()

# %% forgets batch normalization wrong="counts the normalizations"
answer = 32896 + 147584 + 66048 + 131584

# %% forgets the biases and the normalizations wrong="counts the normalizations"
answer = 256 * 128 + 9 * 128 * 128 + 128 * 512 + 256 * 512

# %% counts what is trained only wrong="counts the running statistics"
answer = 32896 + 147584 + 66048 + 131584 + 2 * 1280

# %% takes the shortcut for free wrong="counts the projection"
answer = 32896 + 147584 + 66048 + 4 * 768

# %% forgets that the projection is normalized wrong="the total"
answer = 32896 + 147584 + 66048 + 131584 + 4 * 768

# %% widens to 256 channels wrong="the total"
answer = 32896 + 147584 + (128 * 256 + 256) + (256 * 256 + 256) + 4 * 768

# %% forgets the biases only wrong="the total"
answer = 256 * 128 + 9 * 128 * 128 + 128 * 512 + 256 * 512 + 4 * 1280
