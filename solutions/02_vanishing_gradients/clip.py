# %% canonical right="canonical"
def clip_gradients(grads: list[np.ndarray], limit: float) -> list[np.ndarray]:
    together = np.sqrt(sum(np.sum(g**2) for g in grads))
    factor = limit / max(together, limit)
    return [g * factor for g in grads]


# %% one long vector right="other style"
def clip_gradients(grads: list[np.ndarray], limit: float) -> list[np.ndarray]:
    length = np.linalg.norm(np.hstack([np.ravel(g) for g in grads]))
    if length <= limit:
        return list(grads)
    return [limit * (g / length) for g in grads]


# %% flattens the arrays wrong="keeps the list and the shapes"
def clip_gradients(grads, limit):
    vector = np.concatenate([g.ravel() for g in grads])
    return [vector * min(1, limit / np.linalg.norm(vector))]


# %% makes every gradient as large as the limit wrong="leaves small gradients alone"
def clip_gradients(grads, limit):
    together = np.sqrt(sum(np.sum(g**2) for g in grads))
    return [g * limit / together for g in grads]


# %% cuts each number off wrong="keeps the direction"
def clip_gradients(grads, limit):
    return [np.clip(g, -limit, limit) for g in grads]


# %% sets large gradients to zero wrong="keeps the direction"
def clip_gradients(grads, limit):
    together = np.sqrt(sum(np.sum(g**2) for g in grads))
    return [g if together <= limit else 0 * g for g in grads]


# %% forgets the square root wrong="brings the norm to the limit"
def clip_gradients(grads, limit):
    together = sum(np.sum(g**2) for g in grads)
    return [g * min(1, limit / together) for g in grads]


# %% divides by the norm and drops the limit wrong="brings the norm to the limit"
def clip_gradients(grads, limit):
    together = np.sqrt(sum(np.sum(g**2) for g in grads))
    return [g / together if together > limit else g for g in grads]


# %% each array by itself wrong="one norm for all arrays"
def clip_gradients(grads, limit):
    return [g * min(1, limit / np.linalg.norm(g)) for g in grads]


# %% adds the norms up wrong="one norm for all arrays"
def clip_gradients(grads, limit):
    together = sum(np.linalg.norm(g) for g in grads)
    return [g * min(1, limit / together) for g in grads]
