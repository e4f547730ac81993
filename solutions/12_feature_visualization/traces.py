# %% canonical right="canonical"
def slopes_of_filters(
    response: Callable,
    image: np.ndarray,
    filters: list[int] | range,
    compiled: Callable,
) -> np.ndarray:
    run = compiled(lambda tensors, which: response(tensors[0], which))
    found = []
    for k in filters:
        _, slopes = run([image], np.array(k))
        found.append(slopes[0])
    return np.stack(found)


# %% a named function and a comprehension right="other style"
def slopes_of_filters(
    response: Callable,
    image: np.ndarray,
    filters: list[int] | range,
    compiled: Callable,
) -> np.ndarray:
    def of_one(tensors, index):
        (images,) = tensors
        return response(images, index)

    run = compiled(of_one)
    return np.array([run([image], int(k))[1][0] for k in filters])


# %% each filter once, then in order right="other style"
def slopes_of_filters(
    response: Callable,
    image: np.ndarray,
    filters: list[int] | range,
    compiled: Callable,
) -> np.ndarray:
    run = compiled(lambda tensors, which: response(tensors[0], which))
    known = {int(k): run([image], int(k))[1][0] for k in set(filters)}
    return ops.convert_to_numpy(ops.stack([known[int(k)] for k in filters]))


# %% the last gradient alone wrong="one gradient a filter"
def slopes_of_filters(response, image, filters, compiled):
    run = compiled(lambda tensors, which: response(tensors[0], which))
    for k in filters:
        _, (slope,) = run([image], k)
    return slope


# %% each filter only once wrong="one gradient a filter"
def slopes_of_filters(response, image, filters, compiled):
    run = compiled(lambda tensors, which: response(tensors[0], which))
    return np.stack([run([image], k)[1][0] for k in sorted(set(filters))])


# %% compiles inside the loop wrong="compiles one function"
def slopes_of_filters(response, image, filters, compiled):
    found = []
    for k in filters:
        run = compiled(lambda tensors, k=k: response(tensors[0], k))
        _, (slope,) = run([image])
        found.append(slope)
    return np.stack(found)


# %% an input for the filter, but still inside the loop wrong="compiles one function"
def slopes_of_filters(response, image, filters, compiled):
    found = []
    for k in filters:
        run = compiled(lambda tensors, which: response(tensors[0], which))
        found.append(run([image], k)[1][0])
    return np.stack(found)


# %% keeps the compiled function for each filter wrong="compiles one function"
def slopes_of_filters(response, image, filters, compiled):
    kept = {}
    for k in filters:
        if k not in kept:
            kept[k] = compiled(lambda tensors, k=k: response(tensors[0], k))
    return np.stack([kept[k]([image])[1][0] for k in filters])


# %% the filter stays in a variable outside wrong="the filter goes in as an input"
def slopes_of_filters(response, image, filters, compiled):
    current = {}
    run = compiled(lambda tensors: response(tensors[0], current["filter"]))
    found = []
    for current["filter"] in filters:
        found.append(run([image])[1][0])
    return np.stack(found)


# %% hands over the place in the list wrong="the gradients"
def slopes_of_filters(response, image, filters, compiled):
    run = compiled(lambda tensors, which: response(tensors[0], which))
    found = [run([image], place)[1][0] for place in range(len(filters))]
    return np.stack(found)


# %% sorts the filters wrong="the gradients"
def slopes_of_filters(response, image, filters, compiled):
    run = compiled(lambda tensors, which: response(tensors[0], which))
    return np.stack([run([image], k)[1][0] for k in sorted(filters)])


# %% climbs down wrong="the gradients"
def slopes_of_filters(response, image, filters, compiled):
    run = compiled(lambda tensors, which: -response(tensors[0], which))
    return np.stack([run([image], k)[1][0] for k in filters])
