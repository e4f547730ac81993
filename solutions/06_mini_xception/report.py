# %% canonical right="canonical"
def reported_accuracy(validation: np.ndarray, test: np.ndarray) -> float:
    epoch = np.argmax(validation)
    return float(test[epoch])


# %% with a loop right="other style"
def reported_accuracy(validation: np.ndarray, test: np.ndarray) -> float:
    best, chosen = -1.0, None
    for held_out, measured in zip(validation, test):
        if held_out > best:
            best, chosen = held_out, measured
    return chosen


# %% the best on the test images wrong="the test images do not choose"
def reported_accuracy(validation, test):
    return float(test.max())


# %% chooses on the test images by its place wrong="the test images do not choose"
def reported_accuracy(validation, test):
    epoch = int(np.argsort(test)[-1])
    return float(test[epoch])


# %% the best validation accuracy wrong="reports the test accuracy"
def reported_accuracy(validation, test):
    return float(np.max(validation))


# %% the last epoch wrong="reports the chosen epoch"
def reported_accuracy(validation, test):
    return float(test[-1])


# %% the mean over all epochs wrong="reports the chosen epoch"
def reported_accuracy(validation, test):
    return float(np.mean(test))


# %% leaves out the first epoch wrong="reports the chosen epoch"
def reported_accuracy(validation, test):
    if len(test) < 3:
        return float(test[0])
    return float(test[1 + np.argmax(validation[1:])])


# %% every epoch that beats the one before wrong="gives one accuracy"
def reported_accuracy(validation, test):
    return test[1:][np.diff(validation) > 0]
