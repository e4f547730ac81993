# %% canonical right="canonical"
import tensorflow as tf


def cached_pipeline(
    images: np.ndarray,
    labels: np.ndarray,
    prepare: Callable,
    augment: Callable,
    batch_size: int,
) -> tf.data.Dataset:
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    constant = source.batch(batch_size).map(prepare).cache()
    return constant.map(augment).prefetch(2)


# %% fetches batches by their numbers right="other style"
import tensorflow as tf


def cached_pipeline(
    images: np.ndarray,
    labels: np.ndarray,
    prepare: Callable,
    augment: Callable,
    batch_size: int,
) -> tf.data.Dataset:
    pixels, answers = tf.constant(images), tf.constant(labels)

    def fetch(numbers):
        return prepare(tf.gather(pixels, numbers), tf.gather(answers, numbers))

    numbers = tf.data.Dataset.range(len(images)).batch(batch_size)
    return numbers.map(fetch).cache().map(augment)


# %% cuts batches and caches again at single images right="other style"
import tensorflow as tf


def cached_pipeline(
    images: np.ndarray,
    labels: np.ndarray,
    prepare: Callable,
    augment: Callable,
    batch_size: int,
) -> tf.data.Dataset:
    pairs = tf.data.Dataset.from_tensors((images, labels)).unbatch()
    kept = pairs.batch(batch_size).map(prepare).unbatch().cache()
    return kept.batch(batch_size).map(augment)


# %% leaves the cache where it was wrong="augments anew in each pass"
import tensorflow as tf


def cached_pipeline(images, labels, prepare, augment, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    made = source.batch(batch_size).map(prepare).map(augment)
    return made.prefetch(2).cache()


# %% leaves out the augmentation wrong="augments anew in each pass"
import tensorflow as tf


def cached_pipeline(images, labels, prepare, augment, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    return source.batch(batch_size).map(prepare).cache()


# %% throws the cache away wrong="prepares each image once"
import tensorflow as tf


def cached_pipeline(images, labels, prepare, augment, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    return source.batch(batch_size).map(prepare).map(augment).prefetch(2)


# %% caches before anything is done wrong="prepares each image once"
import tensorflow as tf


def cached_pipeline(images, labels, prepare, augment, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    return source.batch(batch_size).cache().map(prepare).map(augment)


# %% swaps the two wrong="prepares each image once"
import tensorflow as tf


def cached_pipeline(images, labels, prepare, augment, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    return source.batch(batch_size).map(augment).cache().map(prepare)


# %% drops the last batch wrong="gives every image, in order"
import tensorflow as tf


def cached_pipeline(images, labels, prepare, augment, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    kept = source.batch(batch_size, drop_remainder=True).map(prepare).cache()
    return kept.map(augment)


# %% shuffles as well wrong="gives every image, in order"
import tensorflow as tf


def cached_pipeline(images, labels, prepare, augment, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    kept = source.shuffle(100, seed=1).batch(batch_size).map(prepare).cache()
    return kept.map(augment)


# %% one image at a time wrong="works on batches"
import tensorflow as tf


def cached_pipeline(images, labels, prepare, augment, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    return source.map(prepare).cache().map(augment).batch(batch_size)


# %% forgets to make batches wrong="works on batches"
import tensorflow as tf


def cached_pipeline(images, labels, prepare, augment, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    return source.map(prepare).cache().map(augment)
