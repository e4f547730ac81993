# %% canonical right="canonical"
def output_size(n: int, filter_size: int, stride: int = 1, padding: int = 0) -> int:
    return (n + 2 * padding - filter_size) // stride + 1


# %% counts the places with a range right="counting"
def output_size(n: int, filter_size: int, stride: int = 1, padding: int = 0) -> int:
    last = n + 2 * padding - filter_size
    return len(range(0, last + 1, stride))


# %% asks Keras right="a library"
def output_size(n: int, filter_size: int, stride: int = 1, padding: int = 0) -> int:
    padded = layers.ZeroPadding1D(padding)(keras.Input((n, 1)))
    return layers.Conv1D(1, filter_size, strides=stride)(padded).shape[1]


# %% rounds with NumPy right="rounds with NumPy"
def output_size(n: int, filter_size: int, stride: int = 1, padding: int = 0) -> int:
    return int(np.floor((n + padding + padding - filter_size) / stride)) + 1


# %% forgets the first place wrong="no padding, stride 1"
def output_size(n, filter_size, stride=1, padding=0):
    return (n + 2 * padding - filter_size) // stride


# %% a float from a true division wrong="a whole number"
def output_size(n, filter_size, stride=1, padding=0):
    return (n + 2 * padding - filter_size) / stride + 1


# %% prints the size instead of returning it wrong="a whole number"
def output_size(n, filter_size, stride=1, padding=0):
    print((n + 2 * padding - filter_size) // stride + 1)


# %% pads on one side only wrong="padding on both sides"
def output_size(n, filter_size, stride=1, padding=0):
    return (n + padding - filter_size) // stride + 1


# %% adds the first place before dividing wrong="a stride that divides the way evenly"
def output_size(n, filter_size, stride=1, padding=0):
    return (n + 2 * padding - filter_size + 1) // stride


# %% forgets the stride wrong="a stride that divides the way evenly"
def output_size(n, filter_size, stride=1, padding=0):
    return n + 2 * padding - filter_size + 1


# %% rounds up wrong="a stride that leaves a rest"
def output_size(n, filter_size, stride=1, padding=0):
    return int(np.ceil((n + 2 * padding - filter_size) / stride)) + 1
