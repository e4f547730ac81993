# %% canonical right="canonical"
def cycle_rates(
    steps: int, peak: float, epochs: int, images: int, batch_size: int
) -> np.ndarray:
    batches = -(-images // batch_size)
    waves = keras.optimizers.schedules.CosineDecayRestarts(
        peak, first_decay_steps=epochs * batches, t_mul=1.0
    )
    return np.array([float(waves(step)) for step in range(steps)])


# %% by the formula right="other style"
def cycle_rates(
    steps: int, peak: float, epochs: int, images: int, batch_size: int
) -> np.ndarray:
    length = epochs * int(np.ceil(images / batch_size))
    phase = np.arange(steps) % length / length
    return peak * np.cos(np.pi / 2 * phase) ** 2


# %% counts epochs as steps wrong="starts again after whole epochs"
def cycle_rates(steps, peak, epochs, images, batch_size):
    phase = np.arange(steps) % epochs / epochs
    return peak * (1 + np.cos(np.pi * phase)) / 2


# %% loses the smaller batch wrong="starts again after whole epochs"
def cycle_rates(steps, peak, epochs, images, batch_size):
    n = epochs * (images // batch_size)
    phase = np.arange(steps) % n / n
    return peak * (1 + np.cos(np.pi * phase)) / 2


# %% counts images as steps wrong="starts again after whole epochs"
def cycle_rates(steps, peak, epochs, images, batch_size):
    n = epochs * images
    phase = np.arange(steps) % n / n
    return peak * (1 + np.cos(np.pi * phase)) / 2


# %% falls once and stays there wrong="starts again after whole epochs"
def cycle_rates(steps, peak, epochs, images, batch_size):
    n = epochs * -(-images // batch_size)
    phase = np.minimum(np.arange(steps) / n, 1)
    return peak * (1 + np.cos(np.pi * phase)) / 2


# %% each cycle is twice as long wrong="all cycles are alike"
def cycle_rates(steps, peak, epochs, images, batch_size):
    n = epochs * -(-images // batch_size)
    rate = keras.optimizers.schedules.CosineDecayRestarts(peak, n)
    return np.array([float(rate(step)) for step in range(steps)])


# %% each cycle is lower wrong="all cycles are alike"
def cycle_rates(steps, peak, epochs, images, batch_size):
    n = epochs * -(-images // batch_size)
    phase = np.arange(steps) % n / n
    lower = 0.7 ** (np.arange(steps) // n)
    return lower * peak * (1 + np.cos(np.pi * phase)) / 2


# %% stays far above zero wrong="falls along the cosine"
def cycle_rates(steps, peak, epochs, images, batch_size):
    n = epochs * -(-images // batch_size)
    phase = np.arange(steps) % n / n
    return peak * (0.1 + 0.9 * (1 + np.cos(np.pi * phase)) / 2)


# %% reaches zero at the last step wrong="falls along the cosine"
def cycle_rates(steps, peak, epochs, images, batch_size):
    n = epochs * -(-images // batch_size)
    phase = np.arange(steps) % n / (n - 1)
    return peak * (1 + np.cos(np.pi * phase)) / 2


# %% up and down in a full wave wrong="starts again after whole epochs"
def cycle_rates(steps, peak, epochs, images, batch_size):
    n = epochs * -(-images // batch_size)
    return peak * (1 + np.cos(2 * np.pi * np.arange(steps) / n)) / 2


# %% falls in straight lines wrong="falls along the cosine"
def cycle_rates(steps, peak, epochs, images, batch_size):
    n = epochs * -(-images // batch_size)
    return peak * (1 - np.arange(steps) % n / n)


# %% starts at half of the peak wrong="starts at the peak"
def cycle_rates(steps, peak, epochs, images, batch_size):
    n = epochs * -(-images // batch_size)
    phase = np.arange(steps) % n / n
    return peak * (1 + np.cos(np.pi * phase)) / 4


# %% one rate an epoch wrong="one rate a step"
def cycle_rates(steps, peak, epochs, images, batch_size):
    phase = np.arange(steps * batch_size // images) % epochs / epochs
    return peak * (1 + np.cos(np.pi * phase)) / 2
