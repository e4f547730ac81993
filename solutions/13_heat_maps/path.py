# %% canonical right="canonical"
def integrated_gradients(
    slope: Callable, image: np.ndarray, baseline: np.ndarray, steps: int
) -> np.ndarray:
    way = image - baseline
    met = np.zeros_like(way)
    for k in range(steps):
        met = met + slope(baseline + way * (2 * k + 1) / (2 * steps))
    return way * met / steps


# %% all points in a list right="other style"
def integrated_gradients(
    slope: Callable, image: np.ndarray, baseline: np.ndarray, steps: int
) -> np.ndarray:
    shares = (np.arange(steps, dtype="float32") + 0.5) / steps
    found = [slope((1 - t) * baseline + t * image) for t in shares]
    return np.multiply(np.mean(found, axis=0), image - baseline)


# %% the right ends of the pieces right="other style"
def integrated_gradients(
    slope: Callable, image: np.ndarray, baseline: np.ndarray, steps: int
) -> np.ndarray:
    total = 0
    for share in np.linspace(0, 1, steps + 1)[1:]:
        total = total + slope((baseline + share * (image - baseline)).astype("float32"))
    return (image - baseline) * (total / steps)


# %% sums over the channels wrong="keeps the shape"
def integrated_gradients(slope, image, baseline, steps):
    parts = (np.arange(steps) + 0.5) / steps
    mean = sum(slope(baseline + t * (image - baseline)) for t in parts) / steps
    return ((image - baseline) * mean).sum(axis=-1)


# %% forgets the way wrong="multiplies with the way"
def integrated_gradients(slope, image, baseline, steps):
    parts = (np.arange(steps) + 0.5) / steps
    return sum(slope(baseline + t * (image - baseline)) for t in parts) / steps


# %% takes the size of the slope alone wrong="multiplies with the way"
def integrated_gradients(slope, image, baseline, steps):
    parts = (np.arange(steps) + 0.5) / steps
    return abs(sum(slope(baseline + t * (image - baseline)) for t in parts)) / steps


# %% multiplies with the image wrong="the way starts at the baseline"
def integrated_gradients(slope, image, baseline, steps):
    parts = (np.arange(steps) + 0.5) / steps
    return image * sum(slope(baseline + t * (image - baseline)) for t in parts) / steps


# %% always from black wrong="the way starts at the baseline"
def integrated_gradients(slope, image, baseline, steps):
    parts = (np.arange(steps) + 0.5) / steps
    return image * sum(slope(t * image) for t in parts) / steps


# %% asks at the image only wrong="a mean along the way"
def integrated_gradients(slope, image, baseline, steps):
    total = sum(slope(image) for _ in range(steps))
    return (image - baseline) * total / steps


# %% forgets to divide wrong="a mean along the way"
def integrated_gradients(slope, image, baseline, steps):
    parts = (np.arange(steps) + 0.5) / steps
    return (image - baseline) * sum(slope(baseline + t * (image - baseline)) for t in parts)


# %% points around the baseline wrong="a mean along the way"
def integrated_gradients(slope, image, baseline, steps):
    parts = (np.arange(steps) + 0.5) / steps
    return (image - baseline) * sum(slope(baseline + t * image) for t in parts) / steps


# %% fifty points, whatever was asked wrong="asks as often as told"
def integrated_gradients(slope, image, baseline, steps):
    parts = (np.arange(50) + 0.5) / 50
    total = sum(slope(baseline + t * (image - baseline)) for t in parts)
    return (image - baseline) * total / 50


# %% one point more, for both ends wrong="asks as often as told"
def integrated_gradients(slope, image, baseline, steps):
    parts = np.linspace(0, 1, steps + 1)
    total = sum(slope(baseline + t * (image - baseline)) for t in parts)
    return (image - baseline) * total / (steps + 1)
