# %% canonical right="canonical"
def accuracy_within(seconds: np.ndarray, accuracy: np.ndarray, budget: float) -> float:
    in_time = accuracy[seconds <= budget]
    return in_time[-1] if len(in_time) else 0.0


# %% searches the place in the times right="other style"
def accuracy_within(seconds: np.ndarray, accuracy: np.ndarray, budget: float) -> float:
    place = np.searchsorted(seconds, budget, side="right")
    return float(np.append(0.0, accuracy)[place])


# %% reads the end of the run wrong="looks at nothing after the budget"
def accuracy_within(seconds, accuracy, budget):
    return accuracy[-1]


# %% takes the epoch in which the budget ends wrong="looks at nothing after the budget"
def accuracy_within(seconds, accuracy, budget):
    place = int((seconds <= budget).sum())
    return accuracy[min(place, len(accuracy) - 1)]


# %% takes the best epoch wrong="reads the last epoch, not the best"
def accuracy_within(seconds, accuracy, budget):
    return accuracy[seconds <= budget].max(initial=0.0)


# %% an epoch that ends with the budget is late wrong="an epoch may end with the budget"
def accuracy_within(seconds, accuracy, budget):
    early = accuracy[seconds < budget]
    return early[-1] if len(early) else 0.0


# %% fails without an epoch wrong="a run without an epoch has shown nothing"
def accuracy_within(seconds, accuracy, budget):
    return accuracy[seconds <= budget][-1]


# %% takes the first epoch where none is in time wrong="a run without an epoch has shown nothing"
def accuracy_within(seconds, accuracy, budget):
    place = np.searchsorted(seconds, budget, side="right")
    return accuracy[max(place - 1, 0)]


# %% reads the end where none is in time wrong="a run without an epoch has shown nothing"
def accuracy_within(seconds, accuracy, budget):
    return accuracy[int((seconds <= budget).sum()) - 1]


# %% gives back all epochs in time wrong="one number"
def accuracy_within(seconds, accuracy, budget):
    return accuracy[seconds <= budget]
