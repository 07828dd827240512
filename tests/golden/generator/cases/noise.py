"""Layers that add randomness in training: the identity in inference; with a rate of zero in training too."""

from ..backend import keras
from ..case import Case, layer_case, sequential

L = keras.layers


def cases():
    def off(name, shape, layer):
        return layer_case(name, shape, layer, train=False, notes="inference only: training mode draws random numbers")

    yield off("dropout", (5,), lambda: L.Dropout(0.4))
    yield off("dropout_noise_shape", (4, 5), lambda: L.Dropout(0.4, noise_shape=(None, 1, 5), seed=7))
    yield off("spatial_dropout1d", (4, 5), lambda: L.SpatialDropout1D(0.3))
    yield off("spatial_dropout2d", (4, 3, 5), lambda: L.SpatialDropout2D(0.3))
    yield off("gaussian_noise", (5,), lambda: L.GaussianNoise(0.2))
    yield off("gaussian_dropout", (5,), lambda: L.GaussianDropout(0.2))
    yield off("alpha_dropout", (5,), lambda: L.AlphaDropout(0.2))
    yield Case(
        "dropout_between_dense",
        lambda: sequential((5,), L.Dense(6, activation="relu"), L.Dropout(0.5), L.Dense(3)),
        train=False,
    )
    yield Case(
        "dropout_rate_zero",
        lambda: sequential((5,), L.Dense(6, activation="relu"), L.Dropout(0.0), L.Dense(3)),
    )
    yield layer_case(
        "activity_regularization",
        (5,),
        lambda: L.ActivityRegularization(l1=0.01, l2=0.02),
        notes="the identity; the recorded loss leaves the penalty out",
    )
