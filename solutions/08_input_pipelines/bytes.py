# %% canonical right="canonical"
photographs, side, colors, bytes_each = 20_000, 128, 3, 8
answer = photographs * side**2 * colors * bytes_each

# %% asks NumPy right="other style"
one = np.ones((128, 128, 3), np.uint8) / 255
answer = 20_000 * one.nbytes

# %% forgets the colors wrong="counts the colors"
answer = 20_000 * 128 * 128 * 8

# %% bytes stay bytes wrong="counts the bytes of the result's type"
answer = 20_000 * 128 * 128 * 3

# %% takes it for float32 wrong="counts the bytes of the result's type"
answer = 20_000 * 128 * 128 * 3 * 4

# %% in gigabytes wrong="the total"
answer = 20_000 * 128 * 128 * 3 * 8 / 1e9

# %% counts bits wrong="the total"
answer = 20_000 * 128 * 128 * 3 * 64
