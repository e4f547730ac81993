# %% canonical right="canonical"
def dense_backward(
    delta: np.ndarray, inputs: np.ndarray, kernel: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    h = 1 / (1 + np.exp(-(inputs @ kernel)))
    through = delta * h * (1 - h)
    return through @ kernel.T, inputs.T @ through


# %% with keras.ops, on tensors right="other style"
def dense_backward(
    delta: np.ndarray, inputs: np.ndarray, kernel: np.ndarray
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    delta, inputs, kernel = map(ops.convert_to_tensor, (delta, inputs, kernel))
    out = ops.sigmoid(ops.matmul(inputs, kernel))
    arriving = delta * out * (1 - out)
    in_kernel = ops.matmul(ops.transpose(inputs), arriving)
    return ops.einsum("bu,fu->bf", arriving, kernel), in_kernel


# %% image by image right="other style"
def dense_backward(
    delta: np.ndarray, inputs: np.ndarray, kernel: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    in_inputs, in_kernel = np.zeros_like(inputs), np.zeros_like(kernel)
    for image, (d, x) in enumerate(zip(delta, inputs)):
        slope = 1 / (4 * np.cosh(x @ kernel / 2) ** 2)
        in_inputs[image] = kernel @ (d * slope)
        in_kernel += np.outer(x, d * slope)
    return in_inputs, in_kernel


# %% the gradient in the inputs alone wrong="returns a pair of gradients"
def dense_backward(delta, inputs, kernel):
    h = 1 / (1 + np.exp(-(inputs @ kernel)))
    return (delta * h * (1 - h)) @ kernel.T


# %% the pair the other way round wrong="returns a pair of gradients"
def dense_backward(delta, inputs, kernel):
    h = 1 / (1 + np.exp(-(inputs @ kernel)))
    through = delta * h * (1 - h)
    return inputs.T @ through, through @ kernel.T


# %% forgets the slope wrong="uses the slope at z"
def dense_backward(delta, inputs, kernel):
    return delta @ kernel.T, inputs.T @ delta


# %% takes the slope at the output wrong="uses the slope at z"
def dense_backward(delta, inputs, kernel):
    h = 1 / (1 + np.exp(-(inputs @ kernel)))
    s = 1 / (1 + np.exp(-h))
    through = delta * s * (1 - s)
    return through @ kernel.T, inputs.T @ through


# %% forgets the weights wrong="sends what is left through the kernel"
def dense_backward(delta, inputs, kernel):
    h = 1 / (1 + np.exp(-(inputs @ kernel)))
    through = delta * h * (1 - h)
    return through, inputs.T @ through


# %% forgets to transpose the kernel wrong="sends what is left through the kernel"
def dense_backward(delta, inputs, kernel):
    h = 1 / (1 + np.exp(-(inputs @ kernel)))
    through = delta * h * (1 - h)
    return through @ kernel, inputs.T @ through


# %% the slope after the weights wrong="sends what is left through the kernel"
def dense_backward(delta, inputs, kernel):
    h = 1 / (1 + np.exp(-(inputs @ kernel)))
    slope = h * (1 - h)
    return (delta @ kernel.T) * slope, inputs.T @ (delta * slope)


# %% the kernel's gradient without the slope wrong="the kernel's gradient"
def dense_backward(delta, inputs, kernel):
    h = 1 / (1 + np.exp(-(inputs @ kernel)))
    return (delta * h * (1 - h)) @ kernel.T, inputs.T @ delta


# %% the kernel's gradient transposed wrong="the kernel's gradient"
def dense_backward(delta, inputs, kernel):
    h = 1 / (1 + np.exp(-(inputs @ kernel)))
    through = delta * h * (1 - h)
    return through @ kernel.T, through.T @ inputs


# %% the mean over the batch wrong="sums over the batch"
def dense_backward(delta, inputs, kernel):
    h = 1 / (1 + np.exp(-(inputs @ kernel)))
    through = delta * h * (1 - h)
    return through @ kernel.T, inputs.T @ through / len(inputs)
