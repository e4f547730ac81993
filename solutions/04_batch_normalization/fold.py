# %% canonical right="canonical"
def fold(
    kernel: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    epsilon: float = 1e-3,
) -> tuple[np.ndarray, np.ndarray]:
    factor = gamma / np.sqrt(variance + epsilon)
    return kernel * factor, beta - mean * factor


# %% filter by filter right="other style"
def fold(
    kernel: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    epsilon: float = 1e-3,
) -> tuple[np.ndarray, np.ndarray]:
    new_kernel, new_bias = kernel.copy(), beta.copy()
    for k in range(kernel.shape[-1]):
        by = gamma[k] / (variance[k] + epsilon) ** 0.5
        new_kernel[..., k] *= by
        new_bias[k] -= by * mean[k]
    return new_kernel, new_bias


# %% with keras.ops right="other style"
def fold(
    kernel: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    epsilon: float = 1e-3,
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    by = ops.multiply(gamma, ops.rsqrt(ops.add(variance, epsilon)))
    return ops.einsum("hwcf,f->hwcf", kernel, by), ops.subtract(beta, ops.multiply(mean, by))


# %% forgets the bias wrong="returns a kernel and a bias"
def fold(kernel, gamma, beta, mean, variance, epsilon=1e-3):
    return kernel * gamma / np.sqrt(variance + epsilon)


# %% a bias for each weight wrong="returns a kernel and a bias"
def fold(kernel, gamma, beta, mean, variance, epsilon=1e-3):
    factor = gamma / np.sqrt(variance + epsilon)
    return kernel * factor, beta - kernel * mean * factor


# %% scales the input channels wrong="scales each filter"
def fold(kernel, gamma, beta, mean, variance, epsilon=1e-3):
    factor = gamma / np.sqrt(variance + epsilon)
    return kernel * factor[:, None], beta - mean * factor


# %% divides by the variance wrong="scales each filter"
def fold(kernel, gamma, beta, mean, variance, epsilon=1e-3):
    factor = gamma / (variance + epsilon)
    return kernel * factor, beta - mean * factor


# %% forgets the scale wrong="scales each filter"
def fold(kernel, gamma, beta, mean, variance, epsilon=1e-3):
    factor = 1 / np.sqrt(variance + epsilon)
    return kernel * factor, beta - mean * factor


# %% epsilon outside the root wrong="ε stands with the variance"
def fold(kernel, gamma, beta, mean, variance, epsilon=1e-3):
    factor = gamma / (np.sqrt(variance) + epsilon)
    return kernel * factor, beta - mean * factor


# %% the shift alone wrong="the bias carries the rest"
def fold(kernel, gamma, beta, mean, variance, epsilon=1e-3):
    return kernel * gamma / np.sqrt(variance + epsilon), beta * 1


# %% a mean that is not scaled wrong="the bias carries the rest"
def fold(kernel, gamma, beta, mean, variance, epsilon=1e-3):
    return kernel * gamma / np.sqrt(variance + epsilon), beta - mean
