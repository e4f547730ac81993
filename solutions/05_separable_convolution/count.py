# %% canonical right="canonical"
depthwise = 5 * 5 * 96
pointwise = 96 * 160
answer = depthwise + pointwise + 160

# %% lets Keras count right="other style"
counted = layers.SeparableConv2D(filters=160, kernel_size=5)
counted.build((None, 20, 20, 96))
answer = counted.count_params()

# %% an ordinary convolution wrong="is not an ordinary convolution"
answer = 5 * 5 * 96 * 160 + 160

# %% an ordinary convolution without biases wrong="is not an ordinary convolution"
answer = 5 * 5 * 96 * 160

# %% a depthwise kernel for each filter wrong="the depthwise kernel goes by the channels"
answer = 5 * 5 * 160 + 96 * 160 + 160

# %% a bias for both halves wrong="one bias a filter, at the end"
answer = 2400 + 96 + 15360 + 160

# %% no bias at all wrong="one bias a filter, at the end"
answer = 2400 + 15360

# %% a 3×3 kernel wrong="the total"
answer = 9 * 96 + 96 * 160 + 160

# %% the depthwise half alone wrong="the total"
answer = 5 * 5 * 96
