# %% canonical right="canonical"
scale_and_shift = 2 * 1280
answer = scale_and_shift + 1280 * 7 + 7

# %% lets Keras count right="other style"
end = keras.Sequential(
    [
        keras.Input((1280,)),
        layers.BatchNormalization(),
        layers.Dropout(0.3),
        layers.Dense(7),
    ]
)
answer = sum(int(np.prod(v.shape)) for v in end.trainable_variables)

# %% counts the base too wrong="leaves out the base"
answer = 3371008 + 2560 + 8967

# %% the base alone wrong="leaves out the base"
answer = 3371008

# %% counts mean and variance wrong="leaves out the running statistics"
answer = 4 * 1280 + 1280 * 7 + 7

# %% the dense layer alone wrong="counts the normalization"
answer = 1280 * 7 + 7

# %% forgets the biases wrong="the total"
answer = 2560 + 8960

# %% one number a feature for the normalization wrong="the total"
answer = 1280 + 8967
