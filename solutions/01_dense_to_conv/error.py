# %% canonical right="canonical"
def accuracy_and_error(
    labels: np.ndarray, probabilities: np.ndarray
) -> tuple[float, float]:
    accuracy = np.mean(np.argmax(probabilities, axis=1) == labels)
    return accuracy, np.sqrt(accuracy * (1 - accuracy) / len(labels))


# %% from the spread of right and wrong right="other style"
def accuracy_and_error(
    labels: np.ndarray, probabilities: np.ndarray
) -> tuple[float, float]:
    right = (probabilities.argmax(-1) == labels).astype(float)
    return right.mean(), right.std(ddof=1) / len(right) ** 0.5


# %% one number for each image wrong="returns two numbers"
def accuracy_and_error(labels, probabilities):
    right = (probabilities.argmax(axis=1) == labels).astype(float)
    return right, np.sqrt(right * (1 - right))


# %% the accuracy alone wrong="returns two numbers"
def accuracy_and_error(labels, probabilities):
    return np.mean(probabilities.argmax(axis=1) == labels)


# %% in percent wrong="counts the images whose likeliest class is right"
def accuracy_and_error(labels, probabilities):
    p = np.mean(probabilities.argmax(axis=1) == labels)
    return 100 * p, 100 * np.sqrt(p * (1 - p) / len(labels))


# %% the mean probability of the right class wrong="counts the images whose likeliest class is right"
def accuracy_and_error(labels, probabilities):
    p = probabilities[np.arange(len(labels)), labels].mean()
    return p, np.sqrt(p * (1 - p) / len(labels))


# %% the share of errors wrong="counts the images whose likeliest class is right"
def accuracy_and_error(labels, probabilities):
    p = np.mean(probabilities.argmax(axis=1) != labels)
    return p, np.sqrt(p * (1 - p) / len(labels))


# %% forgets the root wrong="the error shrinks with the root of the number of images"
def accuracy_and_error(labels, probabilities):
    p = np.mean(probabilities.argmax(axis=1) == labels)
    return p, p * (1 - p) / len(labels)


# %% the spread of one image wrong="the error shrinks with the root of the number of images"
def accuracy_and_error(labels, probabilities):
    p = np.mean(probabilities.argmax(axis=1) == labels)
    return p, np.sqrt(p * (1 - p))


# %% two standard errors wrong="the error shrinks with the root of the number of images"
def accuracy_and_error(labels, probabilities):
    p = np.mean(probabilities.argmax(axis=1) == labels)
    return p, 1.96 * np.sqrt(p * (1 - p) / len(labels))
