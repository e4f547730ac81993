# %% canonical right="canonical"
answer = "average"

# %% with capitals and a space right="other style"
answer = " Average "

# %% the shortcut of the block wrong="reads every position"
answer = "strided"

# %% only the winner counts wrong="reads every position"
answer = "max"

# %% another name wrong="is one of the three"
answer = "global average"
