# %% canonical right="canonical"
from scipy import stats


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    a = int(np.sum(first & ~second))
    b = int(np.sum(second & ~first))
    if a + b == 0:
        return 1.0
    return float(stats.binomtest(a, a + b, 0.5).pvalue)


# %% with the tail of the binomial distribution right="other style"
from scipy import stats


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    apart = first != second
    throws, heads = apart.sum(), first[apart].sum()
    tail = stats.binom.cdf(min(heads, throws - heads), throws, 0.5)
    return min(1.0, 2 * tail)


# %% all images are throws wrong="counts only images that tell them apart"
from scipy import stats


def mcnemar(first, second):
    a = int(np.sum(first & ~second))
    return float(stats.binomtest(a, len(first)).pvalue)


# %% as if the images were not the same wrong="counts only images that tell them apart"
from scipy import stats


def mcnemar(first, second):
    table = [[first.sum(), (~first).sum()], [second.sum(), (~second).sum()]]
    return float(stats.fisher_exact(table).pvalue)


# %% one side only wrong="two-sided"
from scipy import stats


def mcnemar(first, second):
    a, b = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    if a + b == 0:
        return 1.0
    return float(stats.binomtest(a, a + b, alternative="greater").pvalue)


# %% the smaller tail, not doubled wrong="two-sided"
from scipy import stats


def mcnemar(first, second):
    a, b = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    return float(stats.binom.cdf(min(a, b), a + b, 0.5)) if a + b else 1.0


# %% the object of the test wrong="gives a probability"
from scipy import stats


def mcnemar(first, second):
    a, b = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    return stats.binomtest(a, a + b) if a + b else 1.0


# %% the χ² of McNemar's paper wrong="two-sided"
from scipy import stats


def mcnemar(first, second):
    a, b = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    return float(stats.chi2.sf((a - b) ** 2 / (a + b), 1)) if a + b else 1.0


# %% the mid-p variant for few images wrong="exact"
from scipy import stats


def mcnemar(first, second):
    a, b = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    if a + b == 0:
        return 1.0
    if a + b < 10:
        return float(stats.chi2.sf((abs(a - b) - 1) ** 2 / (a + b), 1))
    return float(stats.binomtest(a, a + b).pvalue)


# %% doubles the middle wrong="gives a probability"
from scipy import stats


def mcnemar(first, second):
    a, b = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    return 3.0 * float(stats.binom.cdf(min(a, b), a + b, 0.5)) if a + b else 1.0


# %% a tail that leaves out the middle wrong="even counts"
from scipy import stats


def mcnemar(first, second):
    a, b = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    if a + b == 0:
        return 1.0
    if a == b:
        return 2 * float(stats.binom.cdf(a - 1, a + b, 0.5))
    return 2 * float(stats.binom.cdf(min(a, b), a + b, 0.5))


# %% nothing apart is certain wrong="nothing tells them apart"
from scipy import stats


def mcnemar(first, second):
    a, b = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    return float(stats.binomtest(a, a + b).pvalue) if a + b else 0.0
