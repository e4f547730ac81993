# %% canonical right="canonical"
def pictures_for(stack: np.ndarray) -> np.ndarray:
    centered = stack - stack.mean(axis=(0, 1), keepdims=True)
    width = centered.std(axis=(0, 1), keepdims=True)
    gray = 128 + 64 * centered / np.where(width > 0, width, 1)
    return np.clip(gray, 0, 255).astype(np.uint8)


# %% map by map, on copies right="other style"
def pictures_for(stack: np.ndarray) -> np.ndarray:
    drawn = np.full(stack.shape, 128, "uint8")
    for channel in range(stack.shape[-1]):
        one = stack[..., channel].astype("float64")
        if one.std() > 0:
            one = (one - one.mean()) / one.std()
            drawn[..., channel] = np.rint(np.clip(64 * one + 128, 0, 255))
    return drawn


# %% writes through the window wrong="leaves its input unchanged"
def pictures_for(stack):
    drawn = np.full(stack.shape, 128, "uint8")
    for channel in range(stack.shape[-1]):
        one = stack[..., channel]
        one -= one.mean()
        if one.std() > 0:
            one /= one.std()
        drawn[..., channel] = np.clip(64 * one + 128, 0, 255)
    return drawn


# %% stays with numbers wrong="bytes of the same shape"
def pictures_for(stack):
    score = stack - stack.mean(axis=(0, 1))
    spread = score.std(axis=(0, 1))
    score = score / np.where(spread > 0, spread, 1)
    return np.clip(64 * score + 128, 0, 255)


# %% the channels come first wrong="bytes of the same shape"
def pictures_for(stack):
    score = stack - stack.mean(axis=(0, 1))
    spread = score.std(axis=(0, 1))
    score = np.moveaxis(score / np.where(spread > 0, spread, 1), -1, 0)
    return np.clip(64 * score + 128, 0, 255).astype("uint8")


# %% one scale for all maps wrong="each map by itself"
def pictures_for(stack):
    score = (stack - stack.mean()) / stack.std()
    return np.clip(64 * score + 128, 0, 255).astype("uint8")


# %% column by column wrong="each map by itself"
def pictures_for(stack):
    score = stack - stack.mean(axis=0)
    spread = score.std(axis=0)
    score = score / np.where(spread > 0, spread, 1)
    return np.clip(64 * score + 128, 0, 255).astype("uint8")


# %% from the least to the largest value wrong="each map by itself"
def pictures_for(stack):
    score = stack - stack.min(axis=(0, 1))
    score = score / np.maximum(score.max(axis=(0, 1)), 1e-12)
    return (255 * score).astype("uint8")


# %% a spread that is never below a tenth wrong="each map by itself"
def pictures_for(stack):
    score = stack - stack.mean(axis=(0, 1))
    score = score / np.maximum(score.std(axis=(0, 1)), 0.1)
    return np.clip(64 * score + 128, 0, 255).astype("uint8")


# %% bytes before limits wrong="limits before bytes"
def pictures_for(stack):
    score = stack - stack.mean(axis=(0, 1))
    spread = score.std(axis=(0, 1))
    score = score / np.where(spread > 0, spread, 1)
    return np.clip((64 * score + 128).astype("int64").astype("uint8"), 0, 255)


# %% a dead map stays black wrong="a flat map is gray"
def pictures_for(stack):
    drawn = np.zeros(stack.shape, "uint8")
    for channel in range(stack.shape[-1]):
        one = stack[..., channel].copy()
        if one.std() > 0:
            one = (one - one.mean()) / one.std()
            drawn[..., channel] = np.clip(64 * one + 128, 0, 255)
    return drawn


# %% divides zero by zero wrong="a flat map is gray"
def pictures_for(stack):
    with np.errstate(all="ignore"):
        score = (stack - stack.mean(axis=(0, 1))) / stack.std(axis=(0, 1))
        score = np.nan_to_num(64 * score + 128)
    return np.clip(score, 0, 255).astype("uint8")
