"""Activation layers; the named ones on a grid that reaches far into saturation on both sides."""

import numpy as np

from ..backend import keras
from ..case import layer_case
from .dense import ACTIVATIONS

L = keras.layers

# No value is a kink or a threshold of any activation: there the gradient is a matter of taste.
GRID = [-90, -45, -21, -12.5, -7.7, -6.1, -5.9, -4.2, -3.1, -2.9, -2.1, -1.9, -1.1, -0.9, -0.6, -0.4, -0.2, -1e-3]


def grid(limit):
    """Values up to ±`limit` in rows of six, shuffled by the seed."""

    def make(rng, _batch):
        values = np.array([v for v in GRID if abs(v) <= limit], np.float32)
        values = np.concatenate([values, -values + np.float32(0.05)])
        values = values[: len(values) // 6 * 6]
        return [rng.permutation(values).reshape(-1, 6)]

    return make


def cases():
    for name in ACTIVATIONS:
        limit = 15 if name == "exponential" else 100
        yield layer_case(f"activation_{name}", (6,), lambda name=name: L.Activation(name), inputs=grid(limit))

    image = (4, 3, 5)
    yield layer_case("activation_softmax_on_4d", image, lambda: L.Activation("softmax"))
    yield layer_case("activation_glu", (6,), lambda: L.Activation("glu"), notes="halves the last axis")
    yield layer_case("relu", image, lambda: L.ReLU(), scale=3)
    yield layer_case("relu_max_value", image, lambda: L.ReLU(max_value=2.0), scale=3)
    yield layer_case("relu_negative_slope", image, lambda: L.ReLU(negative_slope=0.2), scale=3)
    yield layer_case("relu_threshold", image, lambda: L.ReLU(threshold=0.7), scale=3)
    yield layer_case(
        "relu_all", image, lambda: L.ReLU(max_value=2.5, negative_slope=0.1, threshold=0.5), scale=3
    )
    yield layer_case("leaky_relu", image, lambda: L.LeakyReLU(), scale=3)
    yield layer_case("leaky_relu_slope", image, lambda: L.LeakyReLU(negative_slope=0.05), scale=3)
    yield layer_case("prelu", (6,), lambda: L.PReLU())
    yield layer_case("prelu_on_image", image, lambda: L.PReLU())
    yield layer_case("prelu_shared_axes", image, lambda: L.PReLU(shared_axes=[1, 2]))
    yield layer_case("prelu_shared_one_axis", image, lambda: L.PReLU(shared_axes=[2]))
    yield layer_case("elu", image, lambda: L.ELU(), scale=2)
    yield layer_case("elu_alpha", image, lambda: L.ELU(alpha=0.4), scale=2)
    yield layer_case("softmax", (6,), lambda: L.Softmax())
    yield layer_case("softmax_axis_1", image, lambda: L.Softmax(axis=1))
    yield layer_case("softmax_axes", image, lambda: L.Softmax(axis=[1, 2]))
