# %% canonical right="canonical"
answer = "n"

# %% a capital right="a capital and a space"
answer = "N "

# %% the list wrong="is the name that goes stale"
answer = "found"

# %% the loop's own name wrong="is the name that goes stale"
answer = "filter_size"

# %% the argument of the loop wrong="is the name that goes stale"
answer = "filter_sizes"

# %% the function wrong="is a name of the function"
answer = "widths"

# %% an operator wrong="is a name of the function"
answer = "+ 1"
