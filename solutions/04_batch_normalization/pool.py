# %% canonical right="canonical"
def pooled_statistics(
    means: np.ndarray, variances: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    return means.mean(axis=0), variances.mean(axis=0) + means.var(axis=0)


# %% by the mean of squares right="other style"
def pooled_statistics(
    means: np.ndarray, variances: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    squares = np.average(variances + np.square(means), axis=0)
    overall = np.average(means, axis=0)
    return overall, squares - overall**2


# %% the average of the variances wrong="the variance between the batches"
def pooled_statistics(means, variances):
    return means.mean(axis=0), variances.mean(axis=0)


# %% the means' spread, not squared wrong="the variance between the batches"
def pooled_statistics(means, variances):
    return means.mean(axis=0), variances.mean(axis=0) + means.std(axis=0)


# %% the means' distance from zero wrong="the variance within the batches"
def pooled_statistics(means, variances):
    return means.mean(axis=0), (variances + means**2).mean(axis=0)


# %% the spread of the means alone wrong="the variance within the batches"
def pooled_statistics(means, variances):
    return means.mean(axis=0), means.var(axis=0)


# %% the last batch alone wrong="the mean of all"
def pooled_statistics(means, variances):
    return means[-1], variances[-1]


# %% sums in place of averages wrong="the mean of all"
def pooled_statistics(means, variances):
    return means.sum(axis=0), variances.sum(axis=0)


# %% averages the channels too wrong="one number a channel"
def pooled_statistics(means, variances):
    return means.mean(), variances.mean() + means.var()
