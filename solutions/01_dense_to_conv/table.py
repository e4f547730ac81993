# %% canonical right="canonical"
def best_network(results: dict[str, list[float]]) -> tuple[str, float, float]:
    name = max(results, key=lambda entry: results[entry][1])
    loss, accuracy = results[name]
    return name, loss, accuracy


# %% with a loop right="other style"
def best_network(results: dict[str, list[float]]) -> tuple[str, float, float]:
    best = None
    for name, (loss, accuracy) in results.items():
        if best is None or accuracy > best[2]:
            best = (name, loss, accuracy)
    return best


# %% chooses by the number it calls accuracy wrong="chooses the highest accuracy"
def best_network(results):
    rows = [(name, a, b) for name, (a, b) in results.items()]
    return max(rows, key=lambda row: row[1])


# %% chooses the lowest loss wrong="chooses the highest accuracy"
def best_network(results):
    name = min(results, key=lambda entry: results[entry][0])
    return name, *results[name]


# %% chooses the lowest accuracy wrong="chooses the highest accuracy"
def best_network(results):
    name = min(results, key=lambda entry: results[entry][1])
    return name, *results[name]


# %% the right network with its numbers swapped wrong="keeps loss and accuracy apart"
def best_network(results):
    name = max(results, key=lambda entry: results[entry][1])
    return name, results[name][1], results[name][0]


# %% the lowest loss of all beside the highest accuracy wrong="keeps loss and accuracy apart"
def best_network(results):
    name = max(results, key=lambda entry: results[entry][1])
    return name, min(pair[0] for pair in results.values()), results[name][1]


# %% the name alone wrong="returns a name and two numbers"
def best_network(results):
    return max(results, key=lambda entry: results[entry][1])


# %% the whole table wrong="returns a name and two numbers"
def best_network(results):
    return sorted((accuracy, name) for name, (_, accuracy) in results.items())
