# %% canonical right="canonical"
field, distance = 1, 1
for window, stride in [(3, 1), (2, 2)] * 4 + [(3, 1)]:
    field += (window - 1) * distance
    distance *= stride
answer = field

# %% layer by layer on paper right="other style"
answer = 1 + 2 + 1 + 4 + 2 + 8 + 4 + 16 + 8 + 32

# %% all neighbors are one pixel apart wrong="neighbors drift apart"
answer = 1 + 5 * 2 + 4 * 1

# %% five windows of three, and no pooling wrong="neighbors drift apart"
answer = 1 + 5 * 2

# %% forgets that the poolings look wrong="poolings look, too"
answer = 1 + 2 + 4 + 8 + 16 + 32

# %% stops at the last pooling wrong="all nine layers"
answer = 46

# %% doubles before it adds wrong="the width"
answer = 1 + 2 + 2 + 4 + 4 + 8 + 8 + 16 + 16 + 32

# %% the whole image wrong="the width"
answer = 180
