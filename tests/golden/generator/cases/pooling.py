"""Pooling: maximum and average, valid and same, overlapping or not, and global."""

import numpy as np

from ..backend import keras
from ..case import layer_case

L = keras.layers


def cases():
    image, sequence = (6, 5, 2), (7, 3)
    for name, layer in (("max", L.MaxPooling2D), ("average", L.AveragePooling2D)):

        def pool(kind, *args, shape=image, name=name, layer=layer, **options):
            return layer_case(f"{name}_pooling2d_{kind}", shape, lambda: layer(*args, **options))

        yield pool("2x2", 2)
        yield pool("2x2_same_odd", 2, padding="same", shape=(5, 7, 2))
        yield pool("2x2_valid_odd", 2, shape=(5, 7, 2))
        yield pool("3x3_stride_2_same", 3, strides=2, padding="same")
        yield pool("3x3_stride_2_same_even", 3, strides=2, padding="same", shape=(6, 8, 2))
        yield pool("3x3_stride_2_valid", 3, strides=2)
        yield pool("3x3_stride_1_same", 3, strides=1, padding="same")
        yield pool("2x3_strides_2_1", (2, 3), strides=(2, 1))

    for name, layer in (("max", L.MaxPooling1D), ("average", L.AveragePooling1D)):

        def pool(kind, *args, name=name, layer=layer, **options):
            return layer_case(f"{name}_pooling1d_{kind}", sequence, lambda: layer(*args, **options))

        yield pool("2", 2)
        yield pool("2_same", 2, padding="same")
        yield pool("3_stride_2_same", 3, strides=2, padding="same")
        yield pool("3_stride_1_valid", 3, strides=1)

    for name, layer_2d, layer_1d in (
        ("max", L.GlobalMaxPooling2D, L.GlobalMaxPooling1D),
        ("average", L.GlobalAveragePooling2D, L.GlobalAveragePooling1D),
    ):
        yield layer_case(f"global_{name}_pooling2d", image, lambda layer=layer_2d: layer())
        yield layer_case(f"global_{name}_pooling2d_keepdims", image, lambda layer=layer_2d: layer(keepdims=True))
        yield layer_case(f"global_{name}_pooling1d", sequence, lambda layer=layer_1d: layer())
        yield layer_case(f"global_{name}_pooling1d_keepdims", sequence, lambda layer=layer_1d: layer(keepdims=True))

    def few_values(rng, batch):
        return [rng.integers(0, 3, (batch, *image)).astype(np.float32)]

    yield layer_case(
        "max_pooling2d_ties",
        image,
        lambda: L.MaxPooling2D(3, strides=2, padding="same"),
        inputs=few_values,
        notes="several equal maxima in a window: the gradient goes to the first in row-major order",
    )
    yield layer_case(
        "global_max_pooling2d_ties",
        image,
        lambda: L.GlobalMaxPooling2D(),
        inputs=few_values,
        notes="several equal maxima: the gradient is shared equally between them",
    )
