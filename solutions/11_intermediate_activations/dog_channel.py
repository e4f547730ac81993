# %% canonical right="canonical"
def dog_channel(
    features: np.ndarray,
    labels: np.ndarray,
    new_features: np.ndarray,
    new_labels: np.ndarray,
) -> tuple[int, float]:
    cat_mean = features[labels == 0].mean(axis=0)
    dog_mean = features[labels == 1].mean(axis=0)
    upward = dog_mean > cat_mean
    middle = (cat_mean + dog_mean) / 2
    called_dog = (features > middle) == upward
    best = int(np.argmax((called_dog.T == (labels == 1)).mean(axis=1)))
    said = (new_features[:, best] > middle[best]) == upward[best]
    return best, float(np.mean(said == (new_labels == 1)))


# %% channel by channel right="other style"
def dog_channel(
    features: np.ndarray,
    labels: np.ndarray,
    new_features: np.ndarray,
    new_labels: np.ndarray,
) -> tuple[int, float]:
    best = (-1.0, 0, 0.0, 1.0)
    for channel, values in enumerate(features.T):
        means = [values[labels == k].mean() for k in (0, 1)]
        sign, limit = np.sign(means[1] - means[0]), sum(means) / 2
        share = np.mean((sign * (values - limit) > 0) == labels)
        if share > best[0]:
            best = (share, channel, limit, sign)
    _, channel, limit, sign = best
    values = sign * (new_features[:, channel] - limit)
    return channel, np.mean((values > 0) == new_labels)


# %% reports the images it chose with wrong="judges on the new images"
def dog_channel(features, labels, new_features, new_labels):
    cats, dogs = features[labels == 0].mean(axis=0), features[labels == 1].mean(axis=0)
    limits, signs = (cats + dogs) / 2, np.where(dogs > cats, 1, -1)
    right = (((features - limits) * signs > 0) == labels[:, None]).mean(axis=0)
    return right.argmax(), right.max()


# %% chooses with the new images wrong="chooses the channel by the first images"
def dog_channel(features, labels, new_features, new_labels):
    cats, dogs = features[labels == 0].mean(axis=0), features[labels == 1].mean(axis=0)
    limits, signs = (cats + dogs) / 2, np.where(dogs > cats, 1, -1)
    right = (((new_features - limits) * signs > 0) == new_labels[:, None]).mean(axis=0)
    return right.argmax(), right.max()


# %% the largest difference of means wrong="chooses the channel by the first images"
def dog_channel(features, labels, new_features, new_labels):
    cats, dogs = features[labels == 0].mean(axis=0), features[labels == 1].mean(axis=0)
    limits, signs = (cats + dogs) / 2, np.where(dogs > cats, 1, -1)
    best = np.abs(dogs - cats).argmax()
    said = (new_features[:, best] - limits[best]) * signs[best] > 0
    return best, np.mean(said == new_labels)


# %% new limits for new images wrong="keeps the limits of the first images"
def dog_channel(features, labels, new_features, new_labels):
    def right(x, y):
        cats, dogs = x[y == 0].mean(axis=0), x[y == 1].mean(axis=0)
        signs = np.where(dogs > cats, 1, -1)
        return (((x - (cats + dogs) / 2) * signs > 0) == y[:, None]).mean(axis=0)

    best = right(features, labels).argmax()
    return best, right(new_features, new_labels)[best]


# %% dogs are always larger wrong="a channel may be larger for cats"
def dog_channel(features, labels, new_features, new_labels):
    cats, dogs = features[labels == 0].mean(axis=0), features[labels == 1].mean(axis=0)
    limits = (cats + dogs) / 2
    best = ((features > limits) == labels[:, None]).mean(axis=0).argmax()
    return best, np.mean((new_features[:, best] > limits[best]) == new_labels)


# %% the shares of all channels wrong="gives a channel and a share"
def dog_channel(features, labels, new_features, new_labels):
    cats, dogs = features[labels == 0].mean(axis=0), features[labels == 1].mean(axis=0)
    limits, signs = (cats + dogs) / 2, np.where(dogs > cats, 1, -1)
    right = (((features - limits) * signs > 0) == labels[:, None]).mean(axis=0)
    new = (((new_features - limits) * signs > 0) == new_labels[:, None]).mean(axis=0)
    return right.argmax(), new
