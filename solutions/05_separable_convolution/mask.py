# %% canonical right="canonical"
def group_mask(channels: int, filters: int, groups: int) -> np.ndarray:
    group_of_channel = np.arange(channels) // (channels // groups)
    group_of_filter = np.arange(filters) // (filters // groups)
    return (group_of_channel[:, None] == group_of_filter).astype(float)


# %% as a product of matrices right="other style"
def group_mask(channels: int, filters: int, groups: int) -> np.ndarray:
    block = np.ones((channels // groups, filters // groups))
    return np.kron(np.eye(groups), block)


# %% every second channel wrong="as many filters as channels"
def group_mask(channels, filters, groups):
    mine, yours = np.arange(channels) % groups, np.arange(filters) % groups
    return (mine[:, None] == yours).astype("float64")


# %% only the filters take turns wrong="more filters than channels"
def group_mask(channels, filters, groups):
    mine = np.arange(channels) // (channels // groups)
    yours = (np.arange(filters) // (channels // groups)) % groups
    return (mine[:, None] == yours).astype("float64")


# %% a row a filter wrong="a row a channel, a column a filter"
def group_mask(channels, filters, groups):
    return np.kron(np.eye(groups), np.ones((filters // groups, channels // groups)))


# %% all ones wrong="the number of ones"
def group_mask(channels, filters, groups):
    return np.ones((channels, filters))


# %% the diagonal only wrong="the number of ones"
def group_mask(channels, filters, groups):
    return np.eye(channels, filters)


# %% one group size for both wrong="the number of ones"
def group_mask(channels, filters, groups):
    size = channels // groups
    mine, yours = np.arange(channels) // size, np.arange(filters) // size
    return (mine[:, None] == yours).astype("float64")
