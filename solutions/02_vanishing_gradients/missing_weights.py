# %% canonical right="canonical"
def input_gradient(
    delta: np.ndarray, pre_activations: list[np.ndarray], kernels: list[np.ndarray]
) -> np.ndarray:
    for z, kernel in zip(pre_activations[::-1], kernels[::-1]):
        s = 1 / (1 + np.exp(-z))
        delta = (delta * s * (1 - s)) @ kernel.T
    return delta


# %% by recursion, with the slope as a hyperbolic secant right="other style"
def input_gradient(
    delta: np.ndarray, pre_activations: list[np.ndarray], kernels: list[np.ndarray]
) -> np.ndarray:
    if not len(kernels):
        return delta
    slope = 0.25 / np.cosh(pre_activations[-1] / 2) ** 2
    below = np.einsum("bu,fu->bf", delta * slope, kernels[-1])
    return input_gradient(below, pre_activations[:-1], kernels[:-1])


# %% the forecast as it was wrong="the weights count"
def input_gradient(delta, pre_activations, kernels):
    for z, kernel in zip(pre_activations[::-1], kernels[::-1]):
        s = 1 / (1 + np.exp(-z))
        delta = delta * s * (1 - s)
    return delta


# %% the norm in place of the gradient wrong="one gradient, shaped as the input"
def input_gradient(delta, pre_activations, kernels):
    for z, kernel in zip(pre_activations[::-1], kernels[::-1]):
        s = 1 / (1 + np.exp(-z))
        delta = (delta * s * (1 - s)) @ kernel.T
    return np.linalg.norm(delta)


# %% uses the last layer's weights only wrong="the weights count"
def input_gradient(delta, pre_activations, kernels):
    delta = delta @ kernels[-1].T
    for z in pre_activations[::-1]:
        s = 1 / (1 + np.exp(-z))
        delta = delta * s * (1 - s)
    return delta


# %% swaps one missing factor for the other wrong="the slope counts"
def input_gradient(delta, pre_activations, kernels):
    for kernel in kernels[::-1]:
        delta = delta @ kernel.T
    return delta


# %% forgets to transpose wrong="slope first, then the transposed kernel"
def input_gradient(delta, pre_activations, kernels):
    for z, kernel in zip(pre_activations[::-1], kernels[::-1]):
        s = 1 / (1 + np.exp(-z))
        delta = (delta * s * (1 - s)) @ kernel
    return delta


# %% the slope after the weights wrong="slope first, then the transposed kernel"
def input_gradient(delta, pre_activations, kernels):
    for z, kernel in zip(pre_activations[::-1], kernels[::-1]):
        s = 1 / (1 + np.exp(-z))
        delta = (delta @ kernel.T) * s * (1 - s)
    return delta


# %% walks from the first layer to the last wrong="from the last layer to the first"
def input_gradient(delta, pre_activations, kernels):
    for z, kernel in zip(pre_activations, kernels):
        s = 1 / (1 + np.exp(-z))
        delta = (delta * s * (1 - s)) @ kernel.T
    return delta


# %% turns only one of the two lists round wrong="from the last layer to the first"
def input_gradient(delta, pre_activations, kernels):
    for z, kernel in zip(pre_activations, kernels[::-1]):
        s = 1 / (1 + np.exp(-z))
        delta = (delta * s * (1 - s)) @ kernel.T
    return delta
