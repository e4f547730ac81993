# %% canonical right="canonical"
def triangular(step: int, low: float, high: float, half: int) -> float:
    phase = step % (2 * half)
    return low + (high - low) * min(phase, 2 * half - phase) / half


# %% as Smith writes it right="other style"
def triangular(step: int, low: float, high: float, half: int) -> float:
    cycle = np.floor(1 + step / (2 * half))
    x = abs(step / half - 2 * cycle + 1)
    return low + (high - low) * max(0, 1 - x)


# %% begins at the top wrong="starts at the low rate"
def triangular(step, low, high, half):
    phase = step % (2 * half)
    return low + (high - low) * abs(half - phase) / half


# %% forgets the low rate wrong="starts at the low rate"
def triangular(step, low, high, half):
    phase = step % (2 * half)
    return high * min(phase, 2 * half - phase) / half


# %% adds the whole high rate wrong="rises in a straight line"
def triangular(step, low, high, half):
    phase = step % (2 * half)
    return low + high * min(phase, 2 * half - phase) / half


# %% takes half for the whole cycle wrong="rises in a straight line"
def triangular(step, low, high, half):
    phase = step % half
    return low + (high - low) * min(phase, half - phase) / (half / 2)


# %% rises along a wave wrong="rises in a straight line"
def triangular(step, low, high, half):
    return low + (high - low) * (1 - np.cos(np.pi * step / half)) / 2


# %% a saw drops at once wrong="falls back the same way"
def triangular(step, low, high, half):
    phase = step % (2 * half)
    return low + (high - low) * (phase / half if phase <= half else 0)


# %% stays at the top wrong="falls back the same way"
def triangular(step, low, high, half):
    return low + (high - low) * min(step / half, 1)


# %% one triangle only wrong="repeats"
def triangular(step, low, high, half):
    return low + (high - low) * max(0, min(step, 2 * half - step)) / half
