# %% canonical right="canonical"
answer = 6 / 0.05**2

# %% by search right="other style"
widths = np.arange(1, 10_001)
answer = widths[np.argmin(np.abs(widths * 0.05**2 / 3 / 2 - 1))]

# %% forgets the ReLU wrong="counts the ReLU"
answer = 3 / 0.05**2

# %% takes 0.05 for the standard deviation wrong="the variance of the uniform"
answer = 2 / 0.05**2

# %% takes 0.05 for the length of the interval wrong="the variance of the uniform"
answer = 2 * 12 / 0.05**2

# %% standard deviation, and no ReLU wrong="the variance of the uniform"
answer = 1 / 0.05**2

# %% solves for the factor wrong="a number of inputs"
answer = 128 * 0.05**2 / 3 / 2

# %% divides by 2 where it should multiply wrong="keeps the signal"
answer = 3 / 2 / 0.05**2

# %% the width of the lesson wrong="keeps the signal"
answer = 128
