# %% canonical right="canonical"
import tensorflow as tf


def fair_pair(
    images: np.ndarray, labels: np.ndarray, prepare: Callable, batch_size: int
) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    plain = source.batch(batch_size).map(prepare)
    return plain, plain.prefetch(2)


# %% builds both right="other style"
import tensorflow as tf


def fair_pair(
    images: np.ndarray, labels: np.ndarray, prepare: Callable, batch_size: int
) -> list[tf.data.Dataset]:
    def pipeline(ahead):
        made = tf.data.Dataset.from_tensors((images, labels)).unbatch()
        made = made.batch(batch_size).map(prepare, num_parallel_calls=None)
        return made.prefetch(tf.data.AUTOTUNE) if ahead else made

    return [pipeline(False), pipeline(True)]


# %% a smaller batch with prefetching wrong="both give the same batches"
import tensorflow as tf


def fair_pair(images, labels, prepare, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    plain = source.batch(batch_size).map(prepare)
    return plain, source.batch(batch_size // 4).map(prepare).prefetch(2)


# %% shuffles one of them wrong="both give the same batches"
import tensorflow as tf


def fair_pair(images, labels, prepare, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    plain = source.batch(batch_size).map(prepare)
    mixed = source.shuffle(len(images), seed=0).batch(batch_size).map(prepare)
    return plain, mixed.prefetch(2)


# %% forgets to prepare wrong="both give the same batches"
import tensorflow as tf


def fair_pair(images, labels, prepare, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels)).batch(batch_size)
    return source, source.prefetch(2)


# %% vectorizes one of them wrong="both prepare whole batches"
import tensorflow as tf


def fair_pair(images, labels, prepare, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    slow = source.map(prepare).batch(batch_size)
    return slow, source.batch(batch_size).map(prepare).prefetch(2)


# %% caches one of them wrong="both do the same work"
import tensorflow as tf


def fair_pair(images, labels, prepare, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    plain = source.batch(batch_size).map(prepare)
    return plain, plain.cache().prefetch(2)


# %% caches both wrong="both do the same work"
import tensorflow as tf


def fair_pair(images, labels, prepare, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    plain = source.batch(batch_size).map(prepare).cache()
    return plain, plain.prefetch(2)


# %% parallel calls with prefetching wrong="both prepare one batch at a time"
import tensorflow as tf


def fair_pair(images, labels, prepare, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels)).batch(batch_size)
    parallel = source.map(prepare, num_parallel_calls=2)
    return source.map(prepare), parallel.prefetch(2)


# %% the wrong way round wrong="the first makes no batch ahead"
import tensorflow as tf


def fair_pair(images, labels, prepare, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    plain = source.batch(batch_size).map(prepare)
    return plain.prefetch(2), plain


# %% prefetches in both wrong="the first makes no batch ahead"
import tensorflow as tf


def fair_pair(images, labels, prepare, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    ahead = source.batch(batch_size).map(prepare).prefetch(1)
    return ahead, ahead.prefetch(2)


# %% the same twice wrong="the second makes batches ahead"
import tensorflow as tf


def fair_pair(images, labels, prepare, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    plain = source.batch(batch_size).map(prepare)
    return plain, plain


# %% prefetches too early wrong="the second makes batches ahead"
import tensorflow as tf


def fair_pair(images, labels, prepare, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    plain = source.batch(batch_size)
    return plain.map(prepare), plain.prefetch(2).map(prepare)


# %% gives back one of them wrong="gives two pipelines"
import tensorflow as tf


def fair_pair(images, labels, prepare, batch_size):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    return source.batch(batch_size).map(prepare).prefetch(2)
