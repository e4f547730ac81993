# %% canonical right="canonical"
def best_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    logits = np.log(probabilities)
    right = np.arange(len(labels)), labels

    def loss(t):
        z = logits / t
        return (np.log(np.exp(z).sum(axis=1)) - z[right]).mean()

    return min(np.geomspace(0.1, 10, 300), key=loss)


# %% with a minimizer right="other style"
def best_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    from scipy import optimize, special

    logits = np.log(probabilities)

    def loss(t):
        logs = special.log_softmax(logits / t, axis=1)
        return -np.take_along_axis(logs, labels[:, None], axis=1).mean()

    return optimize.minimize_scalar(loss, bounds=(0.05, 20), method="bounded").x


# %% multiplies the scores wrong="cools what is too sure"
def best_temperature(probabilities, labels):
    logits = np.log(probabilities)
    right = np.arange(len(labels)), labels

    def loss(t):
        z = logits * t
        return (np.log(np.exp(z).sum(axis=1)) - z[right]).mean()

    return min(np.geomspace(0.1, 10, 300), key=loss)


# %% takes the largest loss wrong="cools what is too sure"
def best_temperature(probabilities, labels):
    logits = np.log(probabilities)
    right = np.arange(len(labels)), labels

    def loss(t):
        z = logits / t
        return (np.log(np.exp(z).sum(axis=1)) - z[right]).mean()

    return max(np.geomspace(0.1, 10, 300), key=loss)


# %% divides the probabilities wrong="cools what is too sure"
def best_temperature(probabilities, labels):
    right = np.arange(len(labels)), labels

    def loss(t):
        z = probabilities / t
        return (np.log(np.exp(z).sum(axis=1)) - z[right]).mean()

    return min(np.geomspace(0.1, 10, 300), key=loss)


# %% asks for the accuracy, which no temperature changes wrong="cools what is too sure"
def best_temperature(probabilities, labels):
    def errors(t):
        return (np.argmax(np.log(probabilities) / t, axis=1) != labels).mean()

    return min(np.geomspace(0.1, 10, 300), key=errors)


# %% few candidates wrong="has the least cross-entropy"
def best_temperature(probabilities, labels):
    logits = np.log(probabilities)
    right = np.arange(len(labels)), labels

    def loss(t):
        z = logits / t
        return (np.log(np.exp(z).sum(axis=1)) - z[right]).mean()

    return min([0.5, 1.0, 2.0, 4.0], key=loss)


# %% forgets the logarithm of the loss wrong="has the least cross-entropy"
def best_temperature(probabilities, labels):
    logits = np.log(probabilities)
    right = np.arange(len(labels)), labels

    def loss(t):
        powers = np.exp(logits / t)
        return -(powers / powers.sum(axis=1, keepdims=True))[right].mean()

    return min(np.geomspace(1.5, 10, 300), key=loss)


# %% never below one wrong="warms what is too shy"
def best_temperature(probabilities, labels):
    logits = np.log(probabilities)
    right = np.arange(len(labels)), labels

    def loss(t):
        z = logits / t
        return (np.log(np.exp(z).sum(axis=1)) - z[right]).mean()

    return min(np.geomspace(1, 10, 300), key=loss)


# %% gives back the loss as well wrong="one number above zero"
def best_temperature(probabilities, labels):
    logits = np.log(probabilities)
    right = np.arange(len(labels)), labels

    def loss(t):
        z = logits / t
        return (np.log(np.exp(z).sum(axis=1)) - z[right]).mean()

    t = min(np.geomspace(0.1, 10, 300), key=loss)
    return t, loss(t)
