# %% canonical right="canonical"
def clip_gradients(gradients, limit):
    together = np.sqrt(sum(np.sum(g**2) for g in gradients))
    factor = limit / max(together, limit)
    return [g * factor for g in gradients]


# %% one long vector right="other style"
def clip_gradients(gradients, limit):
    length = np.linalg.norm(np.hstack([np.ravel(g) for g in gradients]))
    if length <= limit:
        return list(gradients)
    return [limit * (g / length) for g in gradients]


# %% flattens the arrays wrong="keeps the list and the shapes"
def clip_gradients(gradients, limit):
    vector = np.concatenate([g.ravel() for g in gradients])
    return [vector * min(1, limit / np.linalg.norm(vector))]


# %% makes every gradient as large as the limit wrong="leaves small gradients alone"
def clip_gradients(gradients, limit):
    together = np.sqrt(sum(np.sum(g**2) for g in gradients))
    return [g * limit / together for g in gradients]


# %% cuts each number off wrong="keeps the direction"
def clip_gradients(gradients, limit):
    return [np.clip(g, -limit, limit) for g in gradients]


# %% sets large gradients to zero wrong="keeps the direction"
def clip_gradients(gradients, limit):
    together = np.sqrt(sum(np.sum(g**2) for g in gradients))
    return [g if together <= limit else 0 * g for g in gradients]


# %% forgets the square root wrong="brings the norm to the limit"
def clip_gradients(gradients, limit):
    together = sum(np.sum(g**2) for g in gradients)
    return [g * min(1, limit / together) for g in gradients]


# %% divides by the norm and drops the limit wrong="brings the norm to the limit"
def clip_gradients(gradients, limit):
    together = np.sqrt(sum(np.sum(g**2) for g in gradients))
    return [g / together if together > limit else g for g in gradients]


# %% each array by itself wrong="one norm for all arrays"
def clip_gradients(gradients, limit):
    return [g * min(1, limit / np.linalg.norm(g)) for g in gradients]


# %% adds the norms up wrong="one norm for all arrays"
def clip_gradients(gradients, limit):
    together = sum(np.linalg.norm(g) for g in gradients)
    return [g * min(1, limit / together) for g in gradients]
