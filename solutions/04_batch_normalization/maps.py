# %% canonical right="canonical"
def batch_norm(
    x: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    running: tuple[np.ndarray, np.ndarray],
    *,
    training: bool,
    momentum: float = 0.9,
    epsilon: float = 1e-3,
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    mean, variance = running
    if training:
        mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
        running = tuple(
            momentum * old + (1 - momentum) * new
            for old, new in zip(running, (mean, variance))
        )
    y = gamma * (x - mean) / np.sqrt(variance + epsilon) + beta
    return y, running


# %% on a table of pixels right="other style"
def batch_norm(
    x: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    running: tuple[np.ndarray, np.ndarray],
    *,
    training: bool,
    momentum: float = 0.9,
    epsilon: float = 1e-3,
) -> tuple[np.ndarray, list[np.ndarray]]:
    pixels = x.reshape(-1, x.shape[-1])
    center, power = running
    if training:
        center = np.average(pixels, axis=0)
        power = np.average((pixels - center) ** 2, axis=0)
        kept = [
            running[0] - (1 - momentum) * (running[0] - center),
            running[1] - (1 - momentum) * (running[1] - power),
        ]
    else:
        kept = list(running)
    scale = gamma * (power + epsilon) ** -0.5
    return (pixels * scale + (beta - center * scale)).reshape(x.shape), kept


# %% forgets to return the statistics wrong="returns maps and a pair of statistics"
def batch_norm(x, gamma, beta, running, *, training, momentum=0.9, epsilon=1e-3):
    mean, variance = running
    if training:
        mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


# %% a mean for each place wrong="returns maps and a pair of statistics"
def batch_norm(x, gamma, beta, running, *, training, momentum=0.9, epsilon=1e-3):
    mean, variance = running
    if training:
        mean, variance = x.mean(axis=0), x.var(axis=0)
        running = tuple(
            momentum * old + (1 - momentum) * new
            for old, new in zip(running, (mean, variance))
        )
    y = gamma * (x - mean) / np.sqrt(variance + epsilon) + beta
    return y, running


# %% normalizes over batch and height only, then averages wrong="one mean and variance a channel"
def batch_norm(x, gamma, beta, running, *, training, momentum=0.9, epsilon=1e-3):
    mean, variance = running
    if training:
        mean, variance = x.mean(axis=(0, 1)), x.var(axis=(0, 1))
        running = tuple(
            momentum * old + (1 - momentum) * new.mean(axis=0)
            for old, new in zip(running, (mean, variance))
        )
    y = gamma * (x - mean) / np.sqrt(variance + epsilon) + beta
    return y, running


# %% one mean for each column of the image wrong="one mean and variance a channel"
def batch_norm(x, gamma, beta, running, *, training, momentum=0.9, epsilon=1e-3):
    mean, variance = running
    if training:
        mean, variance = x.mean(axis=(0, 1, 3)), x.var(axis=(0, 1, 3))
        running = tuple(
            momentum * old + (1 - momentum) * new
            for old, new in zip(running, (mean, variance))
        )
    y = gamma * (x - mean) / np.sqrt(variance + epsilon) + beta
    return y, running


# %% divides by the variance wrong="one mean and variance a channel"
def batch_norm(x, gamma, beta, running, *, training, momentum=0.9, epsilon=1e-3):
    mean, variance = running
    if training:
        mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
        running = tuple(
            momentum * old + (1 - momentum) * new
            for old, new in zip(running, (mean, variance))
        )
    y = gamma * (x - mean) / (variance + epsilon) + beta
    return y, running


# %% epsilon outside the root wrong="ε stands with the variance"
def batch_norm(x, gamma, beta, running, *, training, momentum=0.9, epsilon=1e-3):
    mean, variance = running
    if training:
        mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
        running = tuple(
            momentum * old + (1 - momentum) * new
            for old, new in zip(running, (mean, variance))
        )
    y = gamma * (x - mean) / (np.sqrt(variance) + epsilon) + beta
    return y, running


# %% shifts before it scales wrong="scales and shifts"
def batch_norm(x, gamma, beta, running, *, training, momentum=0.9, epsilon=1e-3):
    mean, variance = running
    if training:
        mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
        running = tuple(
            momentum * old + (1 - momentum) * new
            for old, new in zip(running, (mean, variance))
        )
    y = gamma * ((x - mean) / np.sqrt(variance + epsilon) + beta)
    return y, running


# %% forgets the shift wrong="scales and shifts"
def batch_norm(x, gamma, beta, running, *, training, momentum=0.9, epsilon=1e-3):
    mean, variance = running
    if training:
        mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
        running = tuple(
            momentum * old + (1 - momentum) * new
            for old, new in zip(running, (mean, variance))
        )
    y = gamma * (x - mean) / np.sqrt(variance + epsilon)
    return y, running


# %% measures the batch at inference too wrong="inference uses and keeps the running statistics"
def batch_norm(x, gamma, beta, running, *, training, momentum=0.9, epsilon=1e-3):
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    if training:
        running = tuple(
            momentum * old + (1 - momentum) * new
            for old, new in zip(running, (mean, variance))
        )
    y = gamma * (x - mean) / np.sqrt(variance + epsilon) + beta
    return y, running


# %% moves the statistics at inference wrong="inference uses and keeps the running statistics"
def batch_norm(x, gamma, beta, running, *, training, momentum=0.9, epsilon=1e-3):
    measured = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    mean, variance = measured if training else running
    running = tuple(
        momentum * old + (1 - momentum) * new for old, new in zip(running, measured)
    )
    y = gamma * (x - mean) / np.sqrt(variance + epsilon) + beta
    return y, running


# %% the momentum the other way round wrong="training moves the running statistics"
def batch_norm(x, gamma, beta, running, *, training, momentum=0.9, epsilon=1e-3):
    mean, variance = running
    if training:
        mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
        running = tuple(
            (1 - momentum) * old + momentum * new
            for old, new in zip(running, (mean, variance))
        )
    y = gamma * (x - mean) / np.sqrt(variance + epsilon) + beta
    return y, running


# %% averages the standard deviation wrong="training moves the running statistics"
def batch_norm(x, gamma, beta, running, *, training, momentum=0.9, epsilon=1e-3):
    mean, variance = running
    if training:
        mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
        running = tuple(
            momentum * old + (1 - momentum) * new
            for old, new in zip(running, (mean, np.sqrt(variance)))
        )
    y = gamma * (x - mean) / np.sqrt(variance + epsilon) + beta
    return y, running


# %% forgets to move them wrong="training moves the running statistics"
def batch_norm(x, gamma, beta, running, *, training, momentum=0.9, epsilon=1e-3):
    mean, variance = running
    if training:
        mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    y = gamma * (x - mean) / np.sqrt(variance + epsilon) + beta
    return y, running
