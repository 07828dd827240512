"""Layers that join several inputs."""

import numpy as np

from ..backend import keras
from ..case import Case, functional

L = keras.layers


def cases():
    def merge(name, shapes, layer, **options):
        return Case(name, lambda: functional(shapes, lambda *inputs: layer()(list(inputs))), **options)

    kinds = {
        "add": L.Add,
        "subtract": L.Subtract,
        "multiply": L.Multiply,
        "average": L.Average,
        "maximum": L.Maximum,
        "minimum": L.Minimum,
    }
    image = (4, 3, 2)
    for name, layer in kinds.items():
        yield merge(name, [image, image], layer)
        yield merge(f"{name}_broadcast", [image, (1, 1, 2)], layer)
        if name != "subtract":
            yield merge(f"{name}_three", [(4,), (4,), (4,)], layer)
    yield merge("add_broadcast_rank", [(4, 3), (3,)], L.Add, batch=4, notes="inputs of different rank")
    yield merge("concatenate", [(4, 3), (4, 2)], L.Concatenate)
    yield merge("concatenate_axis_1", [(4, 3), (2, 3), (1, 3)], lambda: L.Concatenate(axis=1))
    yield merge("concatenate_channels", [(4, 3, 2), (4, 3, 1)], L.Concatenate)
    yield merge("dot", [(5,), (5,)], lambda: L.Dot(axes=1))
    yield merge("dot_normalized", [(5,), (5,)], lambda: L.Dot(axes=1, normalize=True))
    yield merge("dot_matrices", [(4, 3), (5, 3)], lambda: L.Dot(axes=2))
    yield merge("dot_axes_pair", [(4, 3), (3, 5)], lambda: L.Dot(axes=(2, 1)))
    yield merge("dot_axes_pair_normalized", [(4, 3), (3, 5)], lambda: L.Dot(axes=(2, 1), normalize=True))
    yield merge("dot_vector_matrix", [(3,), (3, 4)], lambda: L.Dot(axes=1))

    def equal_values(rng, batch):
        return [rng.integers(0, 2, (batch, 6)).astype(np.float32) for _ in range(2)]

    for name in ("maximum", "minimum"):
        yield merge(
            f"{name}_ties",
            [(6,), (6,)],
            kinds[name],
            inputs=equal_values,
            notes="where both inputs are equal the whole gradient goes to the first",
        )
