# %% canonical right="canonical"
down = 96 * 48 + 48
middle = 3 * 3 * 48 * 48 + 48
up = 48 * 192 + 192
side = 96 * 192 + 192
answer = down + middle + up + side + 4 * (48 + 48 + 192 + 192)

# %% lets Keras count right="other style"
tensor_in = keras.Input((56, 56, 96))
path = tensor_in
for filters, kernel_size in [(48, 1), (48, 3), (192, 1)]:
    path = layers.Conv2D(filters, kernel_size, padding="same")(path)
    path = layers.BatchNormalization()(path)
beside = layers.BatchNormalization()(layers.Conv2D(192, 1)(tensor_in))
answer = keras.Model(tensor_in, layers.add([path, beside])).count_params()

# %% forgets batch normalization wrong="counts the normalizations"
answer = 4656 + 20784 + 9408 + 18624

# %% forgets the biases and the normalizations wrong="counts the normalizations"
answer = 96 * 48 + 9 * 48 * 48 + 48 * 192 + 96 * 192

# %% counts what is trained only wrong="counts the running statistics"
answer = 4656 + 20784 + 9408 + 18624 + 2 * 480

# %% takes the shortcut for free wrong="counts the projection"
answer = 4656 + 20784 + 9408 + 4 * 288

# %% forgets that the projection is normalized wrong="the total"
answer = 4656 + 20784 + 9408 + 18624 + 4 * 288

# %% widens to 96 channels wrong="the total"
answer = 4656 + 20784 + (48 * 96 + 96) + (96 * 96 + 96) + 4 * 288

# %% forgets the biases only wrong="the total"
answer = 96 * 48 + 9 * 48 * 48 + 48 * 192 + 96 * 192 + 4 * 480
