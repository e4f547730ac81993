# %% canonical right="canonical"
convolution = 5 * 5 * 1 * 16 + 16
normalization = 4 * 16
flattened = (24 // 2) ** 2 * 16
answer = convolution + normalization + (flattened + 1) * 100 + (100 + 1) * 10

# %% lets Keras count right="other style"
net = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        layers.Conv2D(16, 5),
        layers.BatchNormalization(),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(100),
        layers.Dense(10),
    ]
)
answer = net.count_params()

# %% forgets all biases wrong="counts the biases"
answer = 5 * 5 * 16 + 4 * 16 + 2304 * 100 + 100 * 10

# %% forgets the bias of the convolution wrong="counts the biases"
answer = 5 * 5 * 16 + 4 * 16 + 2304 * 100 + 100 + 100 * 10 + 10

# %% takes the normalization for free wrong="counts four numbers a channel for the normalization"
answer = 416 + 230500 + 1010

# %% counts what trains wrong="counts four numbers a channel for the normalization"
answer = 416 + 2 * 16 + 230500 + 1010

# %% flattens before the pooling wrong="the dense layer reads the pooled map"
answer = 416 + 64 + 24 * 24 * 16 * 100 + 100 + 1010

# %% takes the convolution for a padded one wrong="the dense layer reads the pooled map"
answer = 416 + 64 + 14 * 14 * 16 * 100 + 100 + 1010

# %% multiplies the kernel by the size of the map wrong="the total"
answer = 416 * 24 * 24 + 64 + 230500 + 1010

# %% reads three colors wrong="the total"
answer = 5 * 5 * 3 * 16 + 16 + 64 + 230500 + 1010
