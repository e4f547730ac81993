# %% canonical right="canonical"
def total_time(make: float, work: float, steps: int, prefetch: bool) -> float:
    if not prefetch:
        return steps * (make + work)
    return make + (steps - 1) * max(make, work) + work


# %% with a clock right="other style"
def total_time(make: float, work: float, steps: int, prefetch: bool) -> float:
    ready, now = 0.0, 0.0
    for _ in range(steps):
        ready = (ready if prefetch else now) + make
        now = max(now, ready) + work
    return now


# %% the sum in any case wrong="a slow consumer"
def total_time(make, work, steps, prefetch):
    return steps * (make + work)


# %% the longer one in any case wrong="taking turns"
def total_time(make, work, steps, prefetch):
    return make + (steps - 1) * max(make, work) + work


# %% forgets that the first batch is waited for wrong="a single step"
def total_time(make, work, steps, prefetch):
    return steps * (max(make, work) if prefetch else make + work)


# %% always hides the making wrong="a slow producer"
def total_time(make, work, steps, prefetch):
    return make + steps * work if prefetch else steps * (make + work)


# %% counts one step too many wrong="a single step"
def total_time(make, work, steps, prefetch):
    if not prefetch:
        return steps * (make + work)
    return make + steps * max(make, work) + work


# %% always hides the work wrong="a slow consumer"
def total_time(make, work, steps, prefetch):
    return make * steps + work if prefetch else steps * (make + work)
