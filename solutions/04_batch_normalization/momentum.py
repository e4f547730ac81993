# %% canonical right="canonical"
def running_update(
    running: np.ndarray, batch: np.ndarray, momentum: float
) -> np.ndarray:
    return momentum * running + (1 - momentum) * batch


# %% as a step towards the batch right="other style"
def running_update(
    running: np.ndarray, batch: np.ndarray, momentum: float
) -> np.ndarray:
    return running - (1 - momentum) * (running - batch)


# %% the update as it was wrong="momentum 1 keeps the old value"
def running_update(running, batch, momentum):
    return running + momentum * (batch - running)


# %% adds without keeping less of the old wrong="a steady value stays"
def running_update(running, batch, momentum):
    return running + (1 - momentum) * batch


# %% multiplies the old alone wrong="a steady value stays"
def running_update(running, batch, momentum):
    return momentum * running + batch


# %% turns the sign of the step wrong="the share of the new batch"
def running_update(running, batch, momentum):
    return running + (1 - momentum) * (running - batch)


# %% the plain average of the two wrong="momentum 1 keeps the old value"
def running_update(running, batch, momentum):
    return (running + batch) / 2


# %% a tenth of the step, whatever the momentum is wrong="momentum 1 keeps the old value"
def running_update(running, batch, momentum):
    return 0.9 * running + 0.1 * batch


# %% halves the step wrong="the share of the new batch"
def running_update(running, batch, momentum):
    return running + (1 - momentum) / 2 * (batch - running)


# %% one number for all channels wrong="one value a channel"
def running_update(running, batch, momentum):
    return np.mean(momentum * running + (1 - momentum) * batch)
