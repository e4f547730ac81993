# %% canonical right="canonical"
def smooth(labels: np.ndarray, num_classes: int, amount: float) -> np.ndarray:
    sharp = np.eye(num_classes)[labels]
    return (1 - amount) * sharp + amount / num_classes


# %% fills and raises right="other style"
def smooth(labels: np.ndarray, num_classes: int, amount: float) -> np.ndarray:
    share = amount / num_classes
    targets = np.full((len(labels), num_classes), share)
    targets[np.arange(len(labels)), labels] += 1 - amount
    return targets


# %% shares among the wrong classes alone wrong="shares the amount among all classes"
def smooth(labels, num_classes, amount):
    sharp = np.eye(num_classes)[labels]
    return (1 - amount) * sharp + amount / (num_classes - 1) * (1 - sharp)


# %% no smoothing at all wrong="shares the amount among all classes"
def smooth(labels, num_classes, amount):
    return np.eye(num_classes)[labels]


# %% takes away and hands out nothing wrong="each row adds up to one"
def smooth(labels, num_classes, amount):
    return (1 - amount) * np.eye(num_classes)[labels]


# %% hands out the amount to each class wrong="each row adds up to one"
def smooth(labels, num_classes, amount):
    return (1 - amount) * np.eye(num_classes)[labels] + amount


# %% swaps the amount wrong="the right class has the most"
def smooth(labels, num_classes, amount):
    sharp = np.eye(num_classes)[labels]
    return (1 - amount) * (1 - sharp) / (num_classes - 1) + amount * sharp


# %% numbers the classes from one wrong="the right class has the most"
def smooth(labels, num_classes, amount):
    sharp = np.eye(num_classes)[labels - 1]
    return (1 - amount) * sharp + amount / num_classes


# %% one column an image wrong="one row an image, one column a class"
def smooth(labels, num_classes, amount):
    return ((1 - amount) * np.eye(num_classes)[labels] + amount / num_classes).T


# %% counts the classes in the labels wrong="one row an image, one column a class"
def smooth(labels, num_classes, amount):
    sharp = keras.utils.to_categorical(labels)
    return (1 - amount) * sharp + amount / num_classes


# %% smooths the class numbers wrong="one row an image, one column a class"
def smooth(labels, num_classes, amount):
    return (1 - amount) * labels + amount / num_classes
