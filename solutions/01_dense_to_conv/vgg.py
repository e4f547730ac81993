# %% canonical right="canonical"
blocks_1_to_5 = 38720 + 221440 + 1475328 + 5899776 + 7079424
answer = blocks_1_to_5 + 512 * 1000 + 1000

# %% takes the old head off right="other style"
answer = 138357544 - 102764544 - 16781312 - 4097000 + 513 * 1000

# %% the new head alone wrong="keeps the convolutions"
answer = 512 * 1000 + 1000

# %% the new head alone, without its biases wrong="keeps the convolutions"
answer = 512 * 1000

# %% flattens the last map wrong="the head reads one number a channel"
answer = 14714688 + 25088 * 1000 + 1000

# %% keeps the last dense layer of the old head wrong="the head reads one number a channel"
answer = 14714688 + 4097000

# %% one number a position wrong="the head reads one number a channel"
answer = 14714688 + 49 * 1000 + 1000

# %% no biases in the new layer wrong="the total"
answer = 14714688 + 512 * 1000

# %% takes only the first dense layer off wrong="the total"
answer = 138357544 - 102764544
