# %% canonical right="canonical"
def failing_case() -> tuple[np.ndarray, list[np.ndarray]]:
    draw = np.random.default_rng(0).normal
    return draw(size=(8, 6)), [draw(size=(6, 6)) for _ in range(3)]


# %% one layer, written out right="other style"
def failing_case() -> tuple[np.ndarray, list[np.ndarray]]:
    x = np.array([[1.0, 2.0]], dtype="float32")
    return x, [np.array([[1.0, -1.0], [1.0, -1.0]], dtype="float32")]


# %% positive kernels, inputs of both signs right="other style"
def failing_case() -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    return np.diag([1.5, -1.5, 2.5]), (np.full((3, 5), 0.5), np.ones((5, 2)))


# %% the test that was there wrong="the buggy function fails on it"
def failing_case():
    rng = np.random.default_rng(1)
    return rng.uniform(size=(8, 6)), [rng.uniform(size=(6, 6)) for _ in range(3)]


# %% larger, still all positive wrong="the buggy function fails on it"
def failing_case():
    rng = np.random.default_rng(1)
    return 100 * rng.uniform(size=(50, 9)), [10 * rng.uniform(size=(9, 9))] * 20


# %% two signs that cancel wrong="the buggy function fails on it"
def failing_case():
    rng = np.random.default_rng(1)
    return -rng.uniform(size=(8, 6)), [-rng.uniform(size=(6, 6))]


# %% switches every unit off wrong="some gradient gets through"
def failing_case():
    rng = np.random.default_rng(1)
    return rng.uniform(size=(8, 6)), [-rng.uniform(size=(6, 6)) for _ in range(3)]


# %% kernels that do not follow each other wrong="a batch and kernels that fit"
def failing_case():
    draw = np.random.default_rng(0).normal
    return draw(size=(8, 6)), [draw(size=(6, 4)), draw(size=(6, 4))]


# %% the inputs alone wrong="a batch and kernels that fit"
def failing_case():
    return np.random.default_rng(0).normal(size=(8, 6))


# %% one image without a batch axis wrong="a batch and kernels that fit"
def failing_case():
    return np.array([1.0, -2.0]), [np.array([[1.0, -1.0], [0.5, 1.0]])]
