# %% canonical right="canonical"
def convolution_matrix(kernel: np.ndarray, side: int) -> np.ndarray:
    size = len(kernel)
    maps = side - size + 1
    result = np.zeros((maps, maps, side, side))
    for row in range(maps):
        for column in range(maps):
            result[row, column, row : row + size, column : column + size] = kernel
    return result.reshape(maps**2, side**2)


# %% convolves each image of one pixel right="other style"
def convolution_matrix(kernel: np.ndarray, side: int) -> np.ndarray:
    size = kernel.shape[0]
    pixels = np.eye(side * side).reshape(-1, side, side)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (size, size), (1, 2))
    return np.einsum("nijkl,kl->ijn", windows, kernel).reshape(-1, side * side)


# %% one weight at a time right="other style"
def convolution_matrix(kernel: np.ndarray, side: int) -> np.ndarray:
    size, maps = len(kernel), side - len(kernel) + 1
    result = np.zeros((maps * maps, side * side), dtype="float32")
    for position in range(maps * maps):
        i, j = divmod(position, maps)
        for a in range(size):
            for b in range(size):
                result[position, (i + a) * side + j + b] += kernel[a, b]
    return result


# %% one row a pixel wrong="has one row a position of the output"
def convolution_matrix(kernel, side):
    size = len(kernel)
    result = np.zeros((side, side, side, side))
    for i in range(side - size + 1):
        for j in range(side - size + 1):
            result[i, j, i : i + size, j : j + size] = kernel
    return result.reshape(side**2, side**2)


# %% rows and columns swapped wrong="has one row a position of the output"
def convolution_matrix(kernel, side):
    size, maps = len(kernel), side - len(kernel) + 1
    result = np.zeros((maps, maps, side, side))
    for i in range(maps):
        for j in range(maps):
            result[i, j, i : i + size, j : j + size] = kernel
    return result.reshape(maps**2, side**2).T


# %% flips the kernel, as mathematics does wrong="puts the kernel into the first row"
def convolution_matrix(kernel, side):
    size, maps = len(kernel), side - len(kernel) + 1
    result = np.zeros((maps, maps, side, side))
    for i in range(maps):
        for j in range(maps):
            result[i, j, i : i + size, j : j + size] = kernel[::-1, ::-1]
    return result.reshape(maps**2, side**2)


# %% swaps the axes of the kernel wrong="puts the kernel into the first row"
def convolution_matrix(kernel, side):
    size, maps = len(kernel), side - len(kernel) + 1
    result = np.zeros((maps, maps, side, side))
    for i in range(maps):
        for j in range(maps):
            result[i, j, i : i + size, j : j + size] = kernel.T
    return result.reshape(maps**2, side**2)


# %% moves on by one pixel in every row wrong="starts again at the left edge"
def convolution_matrix(kernel, side):
    size, maps = len(kernel), side - len(kernel) + 1
    first = np.zeros((side, side))
    first[:size, :size] = kernel
    return np.stack([np.roll(first.ravel(), k) for k in range(maps**2)])


# %% numbers the positions by the side of the image wrong="starts again at the left edge"
def convolution_matrix(kernel, side):
    size, maps = len(kernel), side - len(kernel) + 1
    result = np.zeros((maps**2, side, side))
    for position in range(maps**2):
        i, j = divmod(position, side)
        part = result[position, i : i + size, j : j + size]
        part[...] = kernel[: part.shape[0], : part.shape[1]]
    return result.reshape(maps**2, side**2)


# %% forgets the last position of each line wrong="computes the convolution"
def convolution_matrix(kernel, side):
    size, maps = len(kernel), side - len(kernel) + 1
    result = np.zeros((maps, maps, side, side))
    for i in range(maps):
        for j in range(maps - 1):
            result[i, j, i : i + size, j : j + size] = kernel
    return result.reshape(maps**2, side**2)
