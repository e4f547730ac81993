# %% canonical right="canonical"
def schedule(epoch: int, rate: float) -> float:
    return 0.5 / (1 + epoch / 300)


# %% from the rate of the epoch before right="other style"
def schedule(epoch: int, rate: float) -> float:
    if epoch == 0:
        return 0.5
    return rate * (299 + epoch) / (300 + epoch)


# %% divides the current rate wrong="decays once"
def schedule(epoch, rate):
    return rate / (1 + epoch / 300)


# %% decays by a power of the epoch, each epoch wrong="decays once"
def schedule(epoch, rate):
    return rate * 0.99715**epoch


# %% counts epochs from one wrong="starts at 0.5"
def schedule(epoch, rate):
    return 0.5 / (1 + (epoch + 1) / 300)


# %% starts from another rate wrong="starts at 0.5"
def schedule(epoch, rate):
    return 0.1 / (1 + epoch / 300)


# %% keeps the rate wrong="follows the plan"
def schedule(epoch, rate):
    return rate


# %% falls in a straight line wrong="follows the plan"
def schedule(epoch, rate):
    return 0.5 * (1 - epoch / 300)


# %% divides each rate by the same number wrong="follows the plan"
def schedule(epoch, rate):
    return rate / (1 + 1 / 300) if epoch else rate
