# %% canonical right="canonical"
answer = "relu-glorot"

# %% in capitals right="other style"
answer = "ReLU-Glorot"

# %% computes the pace right="other style"
pace = (1.7e-5 / 0.78) ** (1 / 29)
answer = "relu-glorot" if abs(pace - 0.5**0.5) < 0.05 else "relu-uniform"

# %% small gradients mean a sigmoid wrong="the activations fit"
answer = "sigmoid-glorot"

# %% equal gradients in all layers mean He wrong="the activations fit"
answer = "relu-he"

# %% shrinks, so it is the small uniform wrong="the pace fits"
answer = "relu-uniform"

# %% names the activation only wrong="one of the four"
answer = "relu"

# %% names the initialization only wrong="one of the four"
answer = "glorot"
