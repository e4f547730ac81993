# %% canonical right="canonical"
def sparsity_of(batches: Iterable[np.ndarray]) -> tuple[float, np.ndarray]:
    zeros, values, dead = 0, 0, True
    for batch in batches:
        at_zero = np.equal(batch, 0)
        zeros += int(at_zero.sum())
        values += batch.size
        dead = dead & at_zero.all(axis=(0, 1, 2))
    return zeros / values, dead


# %% counts what is not zero, channel by channel right="other style"
def sparsity_of(batches: Iterable[np.ndarray]) -> tuple[float, np.ndarray]:
    alive = size = 0
    for batch in batches:
        rows = batch.reshape(-1, batch.shape[-1])
        alive = alive + np.count_nonzero(rows, axis=0)
        size += rows.size
    return 1 - np.sum(alive) / size, alive < 1


# %% keeps everything right="other style"
def sparsity_of(batches: Iterable[np.ndarray]) -> tuple[float, np.ndarray]:
    everything = np.concatenate(list(batches))
    nothing = everything == 0
    return nothing.mean(), nothing.all(axis=(0, 1, 2))


# %% dead for each place wrong="a share and a truth value a channel"
def sparsity_of(batches):
    everything = np.concatenate(list(batches))
    nothing = everything == 0
    return nothing.mean(), nothing.all(axis=0)


# %% how many are dead, not which wrong="a share and a truth value a channel"
def sparsity_of(batches):
    everything = np.concatenate(list(batches))
    nothing = everything == 0
    return nothing.mean(), nothing.all(axis=(0, 1, 2)).mean()


# %% the share that is not zero wrong="the share of zeros"
def sparsity_of(batches):
    everything = np.concatenate(list(batches))
    nothing = everything == 0
    return 1 - nothing.mean(), nothing.all(axis=(0, 1, 2))


# %% the mean of means wrong="each image counts alike"
def sparsity_of(batches):
    shares, dead = [], True
    for batch in batches:
        at_zero = batch == 0
        shares.append(at_zero.mean())
        dead = dead & at_zero.all(axis=(0, 1, 2))
    return np.mean(shares), dead


# %% only the last batch decides wrong="dead is dead in every batch"
def sparsity_of(batches):
    zeros = values = 0
    for batch in batches:
        at_zero = batch == 0
        zeros += at_zero.sum()
        values += at_zero.size
        dead = at_zero.all(axis=(0, 1, 2))
    return zeros / values, dead


# %% dead once is dead for ever wrong="dead is dead in every batch"
def sparsity_of(batches):
    zeros, values, dead = 0, 0, False
    for batch in batches:
        at_zero = batch == 0
        zeros += at_zero.sum()
        values += at_zero.size
        dead = dead | at_zero.all(axis=(0, 1, 2))
    return zeros / values, dead


# %% takes what is not above zero for zero wrong="negative is not zero"
def sparsity_of(batches):
    zeros, values, dead = 0, 0, True
    for batch in batches:
        at_zero = batch <= 0
        zeros += at_zero.sum()
        values += at_zero.size
        dead = dead & at_zero.all(axis=(0, 1, 2))
    return zeros / values, dead


# %% asks the sum of each map wrong="negative is not zero"
def sparsity_of(batches):
    zeros = values = 0
    total = 0.0
    for batch in batches:
        zeros += (batch == 0).sum()
        values += batch.size
        total = total + batch.astype("float64").sum(axis=(0, 1, 2))
    return zeros / values, total == 0


# %% one loop for each result wrong="goes through the batches once"
def sparsity_of(batches):
    zeros = values = 0
    for batch in batches:
        zeros += (batch == 0).sum()
        values += batch.size
    alive = np.zeros(batch.shape[-1], bool)
    for batch in batches:
        alive |= (batch != 0).any(axis=(0, 1, 2))
    return zeros / values, ~alive
