# %% canonical right="canonical"
def depthwise_intensity(side: int, channels: int, kernel_size: int) -> float:
    numbers = side**2 * channels
    operations = 2 * kernel_size**2 * numbers
    moved = 2 * numbers + kernel_size**2 * channels
    return operations / (4 * moved)


# %% the channels cancel right="other style"
def depthwise_intensity(side: int, channels: int, kernel_size: int) -> float:
    window, places = kernel_size * kernel_size, side * side
    return window / (4 + 2 * window / places)


# %% counts a multiply-add as one wrong="two operations, two maps, four bytes"
def depthwise_intensity(side, channels, kernel_size):
    n = side**2 * channels
    return kernel_size**2 * n / (4 * (2 * n + kernel_size**2 * channels))


# %% forgets what comes out wrong="two operations, two maps, four bytes"
def depthwise_intensity(side, channels, kernel_size):
    n = side**2 * channels
    return 2 * kernel_size**2 * n / (4 * (n + kernel_size**2 * channels))


# %% a byte a number wrong="two operations, two maps, four bytes"
def depthwise_intensity(side, channels, kernel_size):
    n = side**2 * channels
    return 2 * kernel_size**2 * n / (2 * n + kernel_size**2 * channels)


# %% operations of an ordinary convolution wrong="the same for any number of channels"
def depthwise_intensity(side, channels, kernel_size):
    n = side**2 * channels
    moved = 4 * (2 * n + kernel_size**2 * channels)
    return 2 * kernel_size**2 * n * channels**2 / moved


# %% the kernel of an ordinary convolution wrong="the same for any number of channels"
def depthwise_intensity(side, channels, kernel_size):
    n = side**2 * channels
    return 2 * kernel_size**2 * n / (4 * (2 * n + kernel_size**2 * channels**2))


# %% forgets the kernel wrong="the kernel is moved, too"
def depthwise_intensity(side, channels, kernel_size):
    return kernel_size**2 / 4


# %% a 3×3 kernel for ever wrong="other kernel sizes"
def depthwise_intensity(side, channels, kernel_size):
    return 9 / (4 + 18 / side**2)


# %% returns the two numbers wrong="one number"
def depthwise_intensity(side, channels, kernel_size):
    n = side**2 * channels
    return 2 * kernel_size**2 * n, 4 * (2 * n + kernel_size**2 * channels)
