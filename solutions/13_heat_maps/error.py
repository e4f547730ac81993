# %% canonical right="canonical"
change = 7.5 - -0.5
answer = abs(3.1 + 2.9 - 0.4 + 1.6 - change) / change

# %% from the ratio right="other style"
answer = 1 - np.sum([3.1, 2.9, -0.4, 1.6]) / 8

# %% sizes without their signs wrong="keeps the signs"
answer = abs(3.1 + 2.9 + 0.4 + 1.6 - 8) / 8

# %% leaves the negative part out wrong="keeps the signs"
answer = abs(3.1 + 2.9 + 1.6 - 8) / 8

# %% leaves the baseline out wrong="compares with the change"
answer = abs(7.2 - 7.5) / 7.5

# %% takes the baseline's sign off wrong="compares with the change"
answer = abs(7.2 - 7.0) / 7.0

# %% in units of the logit wrong="a part of the change"
answer = 8 - 7.2

# %% in percent wrong="a part of the change"
answer = 10

# %% a part of the sum wrong="a part of the change"
answer = 0.8 / 7.2

# %% what is there, not what is missing wrong="the error"
answer = 7.2 / 8

# %% with the wrong sign wrong="the error"
answer = (7.2 - 8) / 8
