# %% canonical right="canonical"
def jittered_gradient(
    gradient_at: Callable, image: np.ndarray, dy: int, dx: int
) -> np.ndarray:
    there = np.roll(image, (dy, dx), axis=(1, 2))
    found = gradient_at(there)
    return np.roll(found, (-dy, -dx), axis=(1, 2))


# %% one axis after the other right="other style"
def jittered_gradient(
    gradient_at: Callable, image: np.ndarray, dy: int, dx: int
) -> keras.KerasTensor:
    there = ops.roll(ops.roll(image, dy, axis=1), dx, axis=2)
    found = gradient_at(ops.convert_to_numpy(there))
    return ops.roll(ops.roll(found, -dx, axis=2), -dy, axis=1)


# %% the image in two pieces right="other style"
def jittered_gradient(
    gradient_at: Callable, image: np.ndarray, dy: int, dx: int
) -> np.ndarray:
    def turn(array, rows, columns):
        rows, columns = rows % array.shape[1], columns % array.shape[2]
        array = np.concatenate([array, array], axis=1)
        array = np.concatenate([array, array], axis=2)
        height, width = array.shape[1] // 2, array.shape[2] // 2
        top, left = height - rows, width - columns
        return array[:, top : top + height, left : left + width]

    return turn(gradient_at(turn(image, dy, dx)), -dy, -dx)


# %% cuts off what leaves the image wrong="keeps the shape"
def jittered_gradient(gradient_at, image, dy, dx):
    there = np.roll(image, (dy, dx), axis=(1, 2))
    return gradient_at(there)[:, dy:, dx:]


# %% does not move at all wrong="asks for the gradient of the moved image"
def jittered_gradient(gradient_at, image, dy, dx):
    return gradient_at(image)


# %% mixes up rows and columns wrong="asks for the gradient of the moved image"
def jittered_gradient(gradient_at, image, dy, dx):
    there = np.roll(image, (dx, dy), axis=(1, 2))
    return np.roll(gradient_at(there), (-dx, -dy), axis=(1, 2))


# %% up and left wrong="asks for the gradient of the moved image"
def jittered_gradient(gradient_at, image, dy, dx):
    there = np.roll(image, (-dy, -dx), axis=(1, 2))
    return np.roll(gradient_at(there), (dy, dx), axis=(1, 2))


# %% moves the flat list of numbers wrong="asks for the gradient of the moved image"
def jittered_gradient(gradient_at, image, dy, dx):
    there = np.roll(image, dy + dx)
    return np.roll(gradient_at(there), -dy - dx)


# %% leaves the gradient where it is wrong="moves the gradient back"
def jittered_gradient(gradient_at, image, dy, dx):
    there = np.roll(image, (dy, dx), axis=(1, 2))
    return gradient_at(there)


# %% moves the gradient on wrong="moves the gradient back"
def jittered_gradient(gradient_at, image, dy, dx):
    there = np.roll(image, (dy, dx), axis=(1, 2))
    return np.roll(gradient_at(there), (dy, dx), axis=(1, 2))


# %% brings the rows home alone wrong="moves the gradient back"
def jittered_gradient(gradient_at, image, dy, dx):
    there = np.roll(image, (dy, dx), axis=(1, 2))
    return np.roll(gradient_at(there), -dy, axis=1)
