# %% canonical right="canonical"
import tensorflow as tf


def shuffled_pipeline(
    images: np.ndarray, labels: np.ndarray, batch_size: int, seed: int
) -> tf.data.Dataset:
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    return source.shuffle(len(images), seed=seed).batch(batch_size).prefetch(2)


# %% shuffles the numbers right="other style"
import tensorflow as tf


def shuffled_pipeline(
    images: np.ndarray, labels: np.ndarray, batch_size: int, seed: int
) -> tf.data.Dataset:
    pixels, answers = tf.constant(images), tf.constant(labels)
    places = tf.data.Dataset.range(len(labels)).shuffle(len(labels), seed=seed)
    return places.batch(batch_size).map(
        lambda k: (tf.gather(pixels, k), tf.gather(answers, k))
    )


# %% batches first wrong="mixes images, not batches"
import tensorflow as tf


def shuffled_pipeline(images, labels, batch_size, seed):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    return source.batch(batch_size).shuffle(len(images), seed=seed)


# %% does not shuffle wrong="mixes images, not batches"
import tensorflow as tf


def shuffled_pipeline(images, labels, batch_size, seed):
    return tf.data.Dataset.from_tensor_slices((images, labels)).batch(batch_size)


# %% a buffer of one batch wrong="mixes over the whole data"
import tensorflow as tf


def shuffled_pipeline(images, labels, batch_size, seed):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    return source.shuffle(batch_size, seed=seed).batch(batch_size)


# %% a buffer of a hundred wrong="mixes over the whole data"
import tensorflow as tf


def shuffled_pipeline(images, labels, batch_size, seed):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    return source.shuffle(100, seed=seed).batch(batch_size)


# %% a buffer of a thousand wrong="mixes over the whole data"
import tensorflow as tf


def shuffled_pipeline(images, labels, batch_size, seed):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    return source.shuffle(1000, seed=seed).batch(batch_size)


# %% drops the last batch wrong="gives every image once, with its label"
import tensorflow as tf


def shuffled_pipeline(images, labels, batch_size, seed):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    mixed = source.shuffle(len(images), seed=seed)
    return mixed.batch(batch_size, drop_remainder=True)


# %% one order for all passes wrong="has a new order in each pass"
import tensorflow as tf


def shuffled_pipeline(images, labels, batch_size, seed):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    mixed = source.shuffle(len(images), seed, reshuffle_each_iteration=False)
    return mixed.batch(batch_size)


# %% shuffles the arrays wrong="has a new order in each pass"
import tensorflow as tf


def shuffled_pipeline(images, labels, batch_size, seed):
    order = np.random.default_rng(seed).permutation(len(images))
    source = tf.data.Dataset.from_tensor_slices((images[order], labels[order]))
    return source.batch(batch_size)


# %% forgets the seed wrong="follows the seed"
import tensorflow as tf


def shuffled_pipeline(images, labels, batch_size, seed):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    return source.shuffle(len(images)).batch(batch_size)


# %% its own seed wrong="follows the seed"
import tensorflow as tf


def shuffled_pipeline(images, labels, batch_size, seed):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    return source.shuffle(len(images), seed=42).batch(batch_size)


# %% shuffles images and labels apart wrong="gives every image once, with its label"
import tensorflow as tf


def shuffled_pipeline(images, labels, batch_size, seed):
    pixels = tf.data.Dataset.from_tensor_slices(images).shuffle(1000, seed=seed)
    answers = tf.data.Dataset.from_tensor_slices(labels).shuffle(1000, seed=seed + 1)
    return tf.data.Dataset.zip((pixels, answers)).batch(batch_size)


# %% repeats wrong="gives every image once, with its label"
import tensorflow as tf


def shuffled_pipeline(images, labels, batch_size, seed):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    return source.shuffle(len(images), seed=seed).repeat(2).batch(batch_size)


# %% forgets to make batches wrong="gives batches of pairs"
import tensorflow as tf


def shuffled_pipeline(images, labels, batch_size, seed):
    source = tf.data.Dataset.from_tensor_slices((images, labels))
    return source.shuffle(len(images), seed=seed)
