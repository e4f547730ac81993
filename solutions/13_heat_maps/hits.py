# %% canonical right="canonical"
def hits(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    hottest = maps.reshape(len(maps), -1).argmax(axis=1)
    return masks.reshape(len(masks), -1)[np.arange(len(maps)), hottest]


# %% image by image right="other style"
def hits(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    found = []
    for heat, mask in zip(maps, masks):
        row, column = np.unravel_index(np.argmax(heat), heat.shape)
        found.append(bool(mask[row, column]))
    return np.array(found)


# %% gives the hit rate wrong="one boolean for each image"
def hits(maps, masks):
    hottest = maps.reshape(len(maps), -1).argmax(axis=1)
    return masks.reshape(len(masks), -1)[np.arange(len(maps)), hottest].mean()


# %% ones and zeros wrong="one boolean for each image"
def hits(maps, masks):
    hottest = maps.reshape(len(maps), -1).argmax(axis=1)
    return masks.reshape(len(masks), -1)[np.arange(len(maps)), hottest].astype(int)


# %% one maximum for all images wrong="the hottest pixel of each image"
def hits(maps, masks):
    return ((maps == maps.max()) & masks).any(axis=(1, 2))


# %% more heat inside than outside wrong="the hottest pixel of each image"
def hits(maps, masks):
    inside = np.array([m[k].mean() for m, k in zip(maps, masks)])
    return inside > np.array([m[~k].mean() for m, k in zip(maps, masks)])


# %% the coldest pixel wrong="the hottest pixel of each image"
def hits(maps, masks):
    coldest = maps.reshape(len(maps), -1).argmin(axis=1)
    return masks.reshape(len(masks), -1)[np.arange(len(maps)), coldest]


# %% the largest size, whatever its sign wrong="the hottest pixel of each image"
def hits(maps, masks):
    hottest = np.abs(maps).reshape(len(maps), -1).argmax(axis=1)
    return masks.reshape(len(masks), -1)[np.arange(len(maps)), hottest]


# %% divides by the height wrong="the hottest pixel of each image"
def hits(maps, masks):
    found = []
    for heat, mask in zip(maps, masks):
        k, height = heat.argmax(), heat.shape[0]
        found.append(bool(mask[k // height % height, k % height]))
    return np.array(found)


# %% column first wrong="row first, then column"
def hits(maps, masks):
    found = []
    for heat, mask in zip(maps, masks):
        y, x = np.unravel_index(np.argmax(heat), heat.shape)
        found.append(bool(mask[x, y]))
    return np.array(found)


# %% any of several hottest wrong="the first of several"
def hits(maps, masks):
    return ((maps == maps.max(axis=(1, 2), keepdims=True)) & masks).any(axis=(1, 2))


# %% the last of several wrong="the first of several"
def hits(maps, masks):
    n, area = len(maps), maps[0].size
    hottest = area - 1 - maps.reshape(n, -1)[:, ::-1].argmax(axis=1)
    return masks.reshape(n, -1)[np.arange(n), hottest]
