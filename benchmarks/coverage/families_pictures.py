"""Whole models on pictures: classifiers, encoders and decoders, generators, comparison."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import keras
import numpy as np

from benchmarks.coverage.cases import Case, Samples
from benchmarks.coverage.data import generator, pictures, pixels
from benchmarks.coverage.settling import settle

L = keras.layers

TRAINED_ON = 1400
"""Of the 1,797 handwritten digits that scikit-learn ships; the rest is fresh."""
STEPS = 50
"""Time steps of the diffusion model."""


@cache
def digits() -> tuple[Any, Any]:
    """Pictures (1797, 8, 8, 1) of 0 to 1, and what they show."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return (bunch.images[..., None] / 16).astype(np.float32), bunch.target


def draw_digits(model: Any, count: int, fresh: bool) -> Samples:
    """The same digits for each input, in another order for each."""
    x = digits()[0]
    start = TRAINED_ON if fresh else 0
    return {t.name: x[start + n * count : start + (n + 1) * count] for n, t in enumerate(model.inputs)}


def fitted(model: Any, targets: Any, loss: str, *, epochs: int = 6) -> Any:
    """The model, trained on the digits for a second or two."""
    model.compile("adam", loss)
    model.fit(digits()[0][:TRAINED_ON], targets[:TRAINED_ON], epochs=epochs, batch_size=64, verbose=0, shuffle=False)
    return model


def cases() -> Iterator[Case]:
    """In the order of the table."""
    yield Case("CNN on digits", _cnn, draw_digits)
    yield Case("depthwise CNN", _depthwise)
    yield Case("ResNet", _resnet)
    yield Case("U-Net, transposed convolutions", partial(_unet, transposed=True))
    yield Case("U-Net, up-sampling", partial(_unet, transposed=False))
    yield Case("autoencoder of digits", _autoencoder, draw_digits)
    yield Case("variational decoder", _variational_decoder)
    yield Case("diffusion step, small U-Net", _diffusion, _draw_diffusion)
    yield Case("siamese", _siamese, draw_digits)
    yield Case("embedding of unit length", _unit_embedding, draw_digits)
    yield Case("one picture in, three outputs", _three_outputs)
    yield Case("Rescaling, Resizing, augmentation inside", _prepares_itself, pixels)
    yield Case("nested models", _nested)


def _cnn() -> Any:
    model = keras.Sequential([
        keras.Input((8, 8, 1), name="digit"), L.Conv2D(16, 3, activation="relu"), L.BatchNormalization(),
        L.MaxPooling2D(), L.Conv2D(32, 3, activation="relu", padding="same"), L.Dropout(0.2), L.Flatten(),
        L.Dense(10, activation="softmax"),
    ])
    return fitted(model, digits()[1], "sparse_categorical_crossentropy")


def _settled(inputs: Any, outputs: Any) -> Any:
    model = keras.Model(inputs, outputs)
    settle(model, pictures(generator(False), 32, tuple(inputs.shape[1:])))
    return model


def _depthwise() -> Any:
    inputs = keras.Input((32, 32, 3), name="image")
    x = L.ReLU(6.0)(L.BatchNormalization()(L.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(inputs)))
    for channels, strides in ((24, 1), (32, 2), (48, 2)):
        x = L.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(x)
        x = L.ReLU(6.0)(L.BatchNormalization()(x))
        x = L.ReLU(6.0)(L.BatchNormalization()(L.Conv2D(channels, 1, use_bias=False)(x)))
    return _settled(inputs, L.Dense(10, activation="softmax")(L.GlobalAveragePooling2D()(x)))


def _resnet() -> Any:
    inputs = keras.Input((32, 32, 3), name="image")
    x = L.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    for channels, strides in ((16, 1), (32, 2), (64, 2)):
        y = L.ReLU()(L.BatchNormalization()(L.Conv2D(channels, 3, strides=strides, padding="same")(x)))
        y = L.BatchNormalization()(L.Conv2D(channels, 3, padding="same")(y))
        x = L.ReLU()(L.Add()([y, L.Conv2D(channels, 1, strides=strides)(x)]))
    return _settled(inputs, L.Dense(10, activation="softmax")(L.GlobalAveragePooling2D()(x)))


def _unet(*, transposed: bool) -> Any:
    inputs = keras.Input((32, 32, 3), name="image")
    x, passed = inputs, []
    for channels in (8, 16):
        x = L.Conv2D(channels, 3, padding="same", activation="relu")(x)
        passed.append(x)
        x = L.MaxPooling2D()(x)
    x = L.Conv2D(32, 3, padding="same", activation="relu")(x)
    for channels, skip in zip((16, 8), reversed(passed), strict=True):
        x = L.Conv2DTranspose(channels, 2, strides=2)(x) if transposed else L.UpSampling2D()(x)
        x = L.Conv2D(channels, 3, padding="same", activation="relu")(L.Concatenate()([x, skip]))
    return keras.Model(inputs, L.Conv2D(2, 1, activation="sigmoid")(x))


def _autoencoder() -> Any:
    model = keras.Sequential([
        keras.Input((8, 8, 1), name="digit"), L.Flatten(), L.Dense(32, activation="relu"),
        L.Dense(12, activation="relu"), L.Dense(32, activation="relu"), L.Dense(64, activation="sigmoid"),
        L.Reshape((8, 8, 1)),
    ])
    return fitted(model, digits()[0], "mse")


def _variational_decoder() -> Any:
    """From a latent vector to a picture; the half of a variational autoencoder that a device runs."""
    latent = keras.Input((8,), name="latent")
    x = L.Reshape((4, 4, 16))(L.Dense(4 * 4 * 16, activation="relu")(latent))
    x = L.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu")(x)
    x = L.BatchNormalization()(x)
    x = L.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(latent, L.Conv2D(3, 3, padding="same", activation="sigmoid")(x))


def _diffusion() -> Any:
    """Takes a noisy picture and the number of the time step, gives the noise."""
    noisy, step = keras.Input((16, 16, 3), name="noisy"), keras.Input((1,), dtype="int32", name="step")
    when = L.Dense(32, activation="silu")(L.Flatten()(L.Embedding(STEPS, 16)(step)))
    first = _residual(L.Conv2D(16, 3, padding="same")(noisy), when, 16)
    deep = _residual(L.Conv2D(32, 3, strides=2, padding="same")(first), when, 32)
    places = L.LayerNormalization()(L.Reshape((64, 32))(deep))
    deep = L.Add()([deep, L.Reshape((8, 8, 32))(L.MultiHeadAttention(2, 16)(places, places))])
    x = L.Concatenate()([L.UpSampling2D()(deep), first])
    return keras.Model([noisy, step], L.Conv2D(3, 3, padding="same")(_residual(x, when, 16)))


def _residual(x: Any, when: Any, channels: int) -> Any:
    y = L.Conv2D(channels, 3, padding="same")(L.Activation("silu")(L.GroupNormalization(8)(x)))
    y = L.Add()([y, L.Reshape((1, 1, channels))(L.Dense(channels)(when))])
    y = L.Conv2D(channels, 3, padding="same")(L.Activation("silu")(y))
    return L.Add()([y, L.Conv2D(channels, 1)(x)])


def _draw_diffusion(model: Any, count: int, fresh: bool) -> Samples:
    random = generator(fresh)
    clean = pictures(random, count, (16, 16, 3), -1.0, 1.0)
    step = random.integers(0, STEPS, (count, 1)).astype(np.int32)
    share = 1 - step[..., None, None] / STEPS
    noisy = np.sqrt(share) * clean + np.sqrt(1 - share) * random.normal(size=clean.shape)
    return {"noisy": noisy.astype(np.float32), "step": step}


def _encoder() -> Any:
    return keras.Sequential([
        keras.Input((8, 8, 1)), L.Conv2D(16, 3, activation="relu"), L.MaxPooling2D(), L.Flatten(), L.Dense(16),
    ], name="encoder")


def _siamese() -> Any:
    encoder, pair = _encoder(), [keras.Input((8, 8, 1), name=name) for name in ("left", "right")]
    difference = L.Subtract()([encoder(x) for x in pair])
    return keras.Model(pair, L.Dense(1, activation="sigmoid")(L.Dense(8, activation="relu")(difference)))


def _unit_embedding() -> Any:
    inputs = keras.Input((8, 8, 1), name="digit")
    return keras.Model(inputs, L.UnitNormalization()(_encoder()(inputs)))


def _three_outputs() -> Any:
    inputs = keras.Input((32, 32, 3), name="image")
    x = L.Conv2D(16, 3, strides=2, activation="relu")(inputs)
    x = L.GlobalAveragePooling2D()(L.Conv2D(32, 3, strides=2, activation="relu")(x))
    heads = [
        L.Dense(5, activation="softmax", name="kind"), L.Dense(4, name="box"),
        L.Dense(1, activation="sigmoid", name="sure"),
    ]
    return keras.Model(inputs, [head(x) for head in heads])


def _prepares_itself() -> Any:
    inputs = keras.Input((40, 40, 3), name="image")
    x = L.RandomContrast(0.1)(L.RandomFlip()(L.Resizing(32, 32)(inputs)))
    x = L.Normalization(mean=[0.48, 0.46, 0.4], variance=[0.05, 0.05, 0.05])(L.Rescaling(1 / 255)(x))
    x = L.Conv2D(16, 3, strides=2, activation="relu")(x)
    x = L.GlobalAveragePooling2D()(L.Conv2D(32, 3, strides=2, activation="relu")(x))
    return keras.Model(inputs, L.Dense(4)(x))


def _nested() -> Any:
    """Models within a model within a model."""
    block = keras.Sequential([L.Conv2D(8, 3, activation="relu"), L.BatchNormalization()], name="block")
    backbone_in = keras.Input((32, 32, 3))
    backbone = keras.Model(backbone_in, L.MaxPooling2D()(block(backbone_in)), name="backbone")
    head = keras.Sequential([L.GlobalAveragePooling2D(), L.Dense(4)], name="head")
    inputs = keras.Input((32, 32, 3), name="image")
    return keras.Model(inputs, head(backbone(inputs)))
