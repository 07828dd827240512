"""Layers that move, repeat, pad, cut and enlarge; no arithmetic but interpolation."""

from ..backend import keras
from ..case import Case, layer_case, sequential

L = keras.layers


def cases():
    image, sequence = (4, 3, 2), (5, 3)
    yield layer_case("flatten", image, lambda: L.Flatten())
    yield layer_case("flatten_2d", (5,), lambda: L.Flatten())
    yield Case("flatten_dense", lambda: sequential(image, L.Flatten(), L.Dense(3)))
    yield layer_case("reshape", image, lambda: L.Reshape((6, 4)))
    yield layer_case("reshape_unknown", image, lambda: L.Reshape((-1, 2)))
    yield layer_case("permute", image, lambda: L.Permute((3, 1, 2)))
    yield layer_case("permute_2d", sequence, lambda: L.Permute((2, 1)))
    yield layer_case("repeat_vector", (4,), lambda: L.RepeatVector(3))
    yield layer_case("identity", (4,), lambda: L.Identity())
    yield layer_case("zero_padding1d", sequence, lambda: L.ZeroPadding1D(2))
    yield layer_case("zero_padding1d_asymmetric", sequence, lambda: L.ZeroPadding1D((0, 3)))
    yield layer_case("zero_padding2d", image, lambda: L.ZeroPadding2D(1))
    yield layer_case("zero_padding2d_by_axis", image, lambda: L.ZeroPadding2D((1, 2)))
    yield layer_case("zero_padding2d_asymmetric", image, lambda: L.ZeroPadding2D(((0, 1), (2, 1))))
    yield layer_case("cropping1d", sequence, lambda: L.Cropping1D((1, 2)))
    yield layer_case("cropping2d", (6, 5, 2), lambda: L.Cropping2D(1))
    yield layer_case("cropping2d_asymmetric", (6, 5, 2), lambda: L.Cropping2D(((0, 2), (1, 0))))
    yield layer_case("up_sampling1d", sequence, lambda: L.UpSampling1D(2))
    for size in (2, 3):
        for how in ("nearest", "bilinear"):
            yield layer_case(
                f"up_sampling2d_{how}_{size}", image, lambda s=size, h=how: L.UpSampling2D(s, interpolation=h)
            )
    yield layer_case("up_sampling2d_nearest_2_1", image, lambda: L.UpSampling2D((2, 1)))
