# %% canonical right="canonical"
def standard_errors_apart(first: float, second: float, n: int) -> float:
    variance = first * (1 - first) / n + second * (1 - second) / n
    return float((second - first) / variance**0.5)


# %% each error by itself right="other style"
def standard_errors_apart(first: float, second: float, n: int) -> float:
    accuracies = np.array([first, second])
    errors = np.sqrt(accuracies * (1 - accuracies) / n)
    return np.diff(accuracies)[0] / np.linalg.norm(errors)


# %% without a sign wrong="keeps the sign"
def standard_errors_apart(first, second, n):
    variance = first * (1 - first) / n + second * (1 - second) / n
    return abs(second - first) / variance**0.5


# %% the other way round wrong="keeps the sign"
def standard_errors_apart(first, second, n):
    variance = first * (1 - first) / n + second * (1 - second) / n
    return (first - second) / variance**0.5


# %% only the first net has an error wrong="both accuracies have an error"
def standard_errors_apart(first, second, n):
    return (second - first) / (first * (1 - first) / n) ** 0.5


# %% only the second net has an error wrong="both accuracies have an error"
def standard_errors_apart(first, second, n):
    return (second - first) / (second * (1 - second) / n) ** 0.5


# %% adds the errors themselves wrong="squares of errors add"
def standard_errors_apart(first, second, n):
    errors = [(p * (1 - p) / n) ** 0.5 for p in (first, second)]
    return (second - first) / sum(errors)


# %% forgets the square root wrong="the distance"
def standard_errors_apart(first, second, n):
    variance = first * (1 - first) / n + second * (1 - second) / n
    return (second - first) / variance


# %% the spread of one image wrong="the distance"
def standard_errors_apart(first, second, n):
    variance = first * (1 - first) + second * (1 - second)
    return (second - first) / variance**0.5


# %% in percentage points wrong="the distance"
def standard_errors_apart(first, second, n):
    variance = first * (1 - first) / n + second * (1 - second) / n
    return 100 * (second - first) / variance**0.5


# %% both accuracies in a list wrong="gives one number"
def standard_errors_apart(first, second, n):
    return [(p * (1 - p) / n) ** 0.5 for p in (first, second)]
