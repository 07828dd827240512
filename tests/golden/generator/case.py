"""What a case is, and short ways to write one."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .backend import keras


@dataclass
class Case:
    """One small model and everything that is recorded about it.

    `build` makes the model from nothing; it is called anew for every precision the case is computed in.
    `inputs` makes one array per model input from a generator of random numbers and the batch size; without it every
    float input is drawn from the normal distribution. `train` is off where training mode draws random numbers.
    """

    name: str
    build: Callable[[], "keras.Model"]
    inputs: Callable[[np.random.Generator, int], list[np.ndarray]] | None = None
    batch: int = 3
    scale: float = 1.0
    train: bool = True
    compress: bool = True
    float64: bool = True
    rtol: float = 1e-5
    atol: float = 1e-5
    grad_rtol: float = 1e-4
    grad_atol: float = 1e-4
    notes: str = ""
    group: str = field(default="", init=False)

    @property
    def seed(self) -> int:
        """A 32-bit seed from the name alone, so that adding a case changes no other."""
        return int.from_bytes(hashlib.sha256(self.name.encode()).digest()[:4], "little")


def sequential(shape, *layers, dtype=None):
    """A Sequential model of `layers` on an input of `shape` (without the batch axis)."""
    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])


def functional(shapes, connect):
    """A functional model: `connect` maps one input tensor per shape to the output or outputs."""
    inputs = [keras.Input(shape) for shape in shapes]
    outputs = connect(*inputs)
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs)


def layer_case(name, shape, layer, **options):
    """A case of one layer on one input; `layer` is a function, because each build needs a new layer."""
    return Case(name, lambda: sequential(shape, layer()), **options)


def token_ids(length, vocabulary, padded=True):
    """Inputs for an Embedding: ids in `1..vocabulary`, and, if `padded`, zeros at the end of all rows but one."""

    def make(rng, batch):
        ids = rng.integers(1, vocabulary, (batch, length)).astype(np.int32)
        if padded:
            for row in range(1, batch):
                ids[row, length - row :] = 0
        return [ids]

    return make
