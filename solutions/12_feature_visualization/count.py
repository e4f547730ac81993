# %% canonical right="canonical"
depthwise = 3 * 3 * 256
pointwise = 256 * 728
answer = depthwise + pointwise

# %% lets Keras count right="other style"
counted = layers.SeparableConv2D(728, 3, use_bias=False)
counted.build((None, 20, 20, 256))
answer = counted.count_params()

# %% an ordinary convolution wrong="is separable"
answer = 9 * 256 * 728

# %% an ordinary convolution with biases wrong="is separable"
answer = 9 * 256 * 728 + 728

# %% forgets the 3×3 kernels wrong="has two parts"
answer = 256 * 728

# %% forgets the 1×1 convolution wrong="has two parts"
answer = 9 * 256

# %% counts a bias for each filter wrong="has no biases"
answer = 2304 + 186368 + 728

# %% a 3×3 kernel for each filter wrong="the total"
answer = 9 * 728 + 256 * 728

# %% adds where it should multiply wrong="the total"
answer = 9 * 256 + 256 + 728
