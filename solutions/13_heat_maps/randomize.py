# %% canonical right="canonical"
from course_utils import judge


def randomization_test(
    explain: Callable, model: keras.Model, images: np.ndarray, seed: int
) -> np.ndarray:
    dice = np.random.default_rng(seed)
    ignorant = keras.models.clone_model(model)
    learned = model.get_weights()
    ignorant.set_weights([dice.permuted(array, axis=None) for array in learned])
    return judge.similarity(explain(model, images), explain(ignorant, images))


# %% with the course's own copy, and SciPy right="other style"
from course_utils import judge
from scipy import stats


def randomization_test(
    explain: Callable, model: keras.Model, images: np.ndarray, seed: int
) -> np.ndarray:
    known = explain(model, images)
    forgotten = explain(judge.randomized(model, seed=seed), images)
    return np.array(
        [
            stats.spearmanr(left.ravel(), right.ravel())[0]
            for left, right in zip(known, forgotten)
        ]
    )


# %% shuffles the model, and gives the weights back right="other style"
from course_utils import judge


def randomization_test(
    explain: Callable, model: keras.Model, images: np.ndarray, seed: int
) -> np.ndarray:
    rng = np.random.RandomState(seed)
    kept = model.get_weights()
    first = explain(model, images)
    try:
        model.set_weights([rng.permutation(w.ravel()).reshape(w.shape) for w in kept])
        second = explain(model, images)
    finally:
        model.set_weights(kept)
    return judge.similarity(first, second)


# %% one number for all wrong="one number for each image"
from course_utils import judge


def randomization_test(explain, model, images, seed):
    other = judge.randomized(model, seed=seed)
    return judge.similarity(explain(model, images), explain(other, images)).mean()


# %% a second name for the model wrong="explains two networks"
from course_utils import judge


def randomization_test(explain, model, images, seed):
    rng = np.random.default_rng(seed)
    shuffled = model
    shuffled.set_weights([rng.permuted(w, axis=None) for w in model.get_weights()])
    return judge.similarity(explain(model, images), explain(shuffled, images))


# %% a clone with the learned weights wrong="explains two networks"
from course_utils import judge


def randomization_test(explain, model, images, seed):
    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    return judge.similarity(explain(model, images), explain(other, images))


# %% a clone with new weights wrong="keeps the numbers of each weight"
from course_utils import judge


def randomization_test(explain, model, images, seed):
    keras.utils.set_random_seed(seed)
    other = keras.models.clone_model(model)
    return judge.similarity(explain(model, images), explain(other, images))


# %% shuffles the clone's own numbers wrong="keeps the numbers of each weight"
from course_utils import judge


def randomization_test(explain, model, images, seed):
    rng = np.random.default_rng(seed)
    other = keras.models.clone_model(model)
    other.set_weights([rng.permuted(w, axis=None) for w in other.get_weights()])
    return judge.similarity(explain(model, images), explain(other, images))


# %% the last layer only wrong="shuffles every array"
from course_utils import judge


def randomization_test(explain, model, images, seed):
    other = judge.randomized(model, 1, seed=seed)
    return judge.similarity(explain(model, images), explain(other, images))


# %% kernels only wrong="shuffles every array"
from course_utils import judge


def randomization_test(explain, model, images, seed):
    rng = np.random.default_rng(seed)
    other = keras.models.clone_model(model)
    other.set_weights(
        [rng.permuted(w, axis=None) if w.ndim > 1 else w for w in model.get_weights()]
    )
    return judge.similarity(explain(model, images), explain(other, images))


# %% whole rows change places wrong="shuffles every array"
from course_utils import judge


def randomization_test(explain, model, images, seed):
    rng = np.random.default_rng(seed)
    other = keras.models.clone_model(model)
    other.set_weights([rng.permutation(w) for w in model.get_weights()])
    return judge.similarity(explain(model, images), explain(other, images))


# %% each column keeps its numbers wrong="shuffles every array"
from course_utils import judge


def randomization_test(explain, model, images, seed):
    rng = np.random.default_rng(seed)
    other = keras.models.clone_model(model)
    other.set_weights([rng.permuted(w, axis=0) for w in model.get_weights()])
    return judge.similarity(explain(model, images), explain(other, images))


# %% a correlation of values wrong="a rank correlation"
from course_utils import judge


def randomization_test(explain, model, images, seed):
    other = judge.randomized(model, seed=seed)
    pairs = zip(explain(model, images), explain(other, images))
    return np.array([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs])


# %% always the same shuffle wrong="the seed decides"
from course_utils import judge


def randomization_test(explain, model, images, seed):
    other = judge.randomized(model)
    return judge.similarity(explain(model, images), explain(other, images))


# %% shuffles in place, after the first maps wrong="leaves the model as it was"
from course_utils import judge


def randomization_test(explain, model, images, seed):
    rng = np.random.default_rng(seed)
    first = explain(model, images)
    model.set_weights([rng.permuted(w, axis=None) for w in model.get_weights()])
    return judge.similarity(first, explain(model, images))
