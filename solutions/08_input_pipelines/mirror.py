# %% canonical right="canonical"
import tensorflow as tf


def mirror_some(images: tf.Tensor, flips: tf.Tensor) -> tf.Tensor:
    turned = tf.reverse(images, axis=[2])
    return tf.where(flips[:, None, None, None], turned, images)


# %% by arithmetic right="other style"
import tensorflow as tf


def mirror_some(images: tf.Tensor, flips: tf.Tensor) -> tf.Tensor:
    weight = tf.reshape(tf.cast(flips, images.dtype), (-1, 1, 1, 1))
    return weight * images[:, :, ::-1] + (1 - weight) * images


# %% by places right="other style"
import tensorflow as tf


def mirror_some(images: tf.Tensor, flips: tf.Tensor) -> tf.Tensor:
    width = tf.shape(images)[2]
    straight = tf.range(width)[None]
    places = tf.where(flips[:, None], width - 1 - straight, straight)
    return tf.gather(images, places, axis=2, batch_dims=1)


# %% mirrors all of them wrong="leaves the others alone"
import tensorflow as tf


def mirror_some(images, flips):
    return tf.image.flip_left_right(images)


# %% mirrors where it should not wrong="leaves the others alone"
import tensorflow as tf


def mirror_some(images, flips):
    return tf.where(flips[:, None, None, None], images, images[:, :, ::-1])


# %% turns upside down wrong="mirrors left to right"
import tensorflow as tf


def mirror_some(images, flips):
    return tf.where(flips[:, None, None, None], images[:, ::-1], images)


# %% swaps the channels wrong="mirrors left to right"
import tensorflow as tf


def mirror_some(images, flips):
    return tf.where(flips[:, None, None, None], images[..., ::-1], images)


# %% mirrors none wrong="mirrors left to right"
def mirror_some(images, flips):
    return images


# %% adds an axis wrong="keeps shape and type"
import tensorflow as tf


def mirror_some(images, flips):
    return tf.where(flips[:, None, None, None, None], images[:, :, ::-1], images)


# %% in double precision wrong="keeps shape and type"
import tensorflow as tf


def mirror_some(images, flips):
    images = tf.cast(images, tf.float64)
    return tf.where(flips[:, None, None, None], images[:, :, ::-1], images)


# %% keeps the loop wrong="works on a batch of any size"
import tensorflow as tf


def mirror_some(images, flips):
    return tf.stack([tf.reverse(i, [1]) if f else i for i, f in zip(images, flips)])


# %% goes through NumPy wrong="works on a batch of any size"
import tensorflow as tf


def mirror_some(images, flips):
    pixels = np.array(images)
    pixels[np.array(flips)] = pixels[np.array(flips)][:, :, ::-1]
    return tf.constant(pixels)


# %% asks for the length wrong="works on a batch of any size"
import tensorflow as tf


def mirror_some(images, flips):
    chosen = [
        tf.where(flips[k], images[k, :, ::-1], images[k]) for k in range(len(flips))
    ]
    return tf.stack(chosen)
