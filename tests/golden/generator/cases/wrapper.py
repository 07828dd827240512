"""Layers around layers: Bidirectional and TimeDistributed."""

from ..backend import keras
from ..case import Case, functional, layer_case, sequential
from .recurrent import LENGTH, on_tokens

L = keras.layers


def cases():
    # A function per layer, so that each case keeps its own.
    for name, layer in (("simple_rnn", L.SimpleRNN), ("lstm", L.LSTM), ("gru", L.GRU)):
        yield from bidirectional(name, layer)
    yield from particular()
    yield from time_distributed()


def bidirectional(name, layer):
    shape = (LENGTH, 3)
    for mode in ("concat", "sum", "mul", "ave"):
        yield layer_case(
            f"bidirectional_{name}_{mode}", shape, lambda m=mode: L.Bidirectional(layer(3), merge_mode=m)
        )
    for mode in ("concat", "sum"):
        yield layer_case(
            f"bidirectional_{name}_{mode}_sequences",
            shape,
            lambda m=mode: L.Bidirectional(layer(3, return_sequences=True), merge_mode=m),
        )
    yield Case(
        f"bidirectional_{name}_none",
        lambda: functional([shape], lambda x: L.Bidirectional(layer(3), merge_mode=None)(x)),
        notes="two outputs: forward, backward",
    )
    yield Case(
        f"bidirectional_{name}_none_sequences",
        lambda: functional([shape], lambda x: L.Bidirectional(layer(3, return_sequences=True), merge_mode=None)(x)),
        notes="two outputs: forward, backward turned round",
    )
    yield Case(
        f"bidirectional_{name}_state",
        lambda: functional([shape], lambda x: L.Bidirectional(layer(3, return_state=True))(x)),
        notes="outputs: merged, then the states of the forward layer, then those of the backward layer",
    )
    yield on_tokens(f"embedding_masked_bidirectional_{name}", lambda: L.Bidirectional(layer(3)))
    yield on_tokens(
        f"embedding_masked_bidirectional_{name}_sequences",
        lambda: L.Bidirectional(layer(3, return_sequences=True)),
    )


def particular():
    shape = (LENGTH, 3)
    yield layer_case(
        "bidirectional_backward_layer",
        shape,
        lambda: L.Bidirectional(L.LSTM(3), backward_layer=L.LSTM(2, go_backwards=True, activation="relu")),
    )
    yield Case(
        "bidirectional_stacked",
        lambda: sequential(shape, L.Bidirectional(L.LSTM(3, return_sequences=True)), L.Bidirectional(L.GRU(2))),
    )


def time_distributed():
    yield layer_case("time_distributed_dense", (4, 3), lambda: L.TimeDistributed(L.Dense(2, activation="tanh")))
    yield layer_case(
        "time_distributed_conv2d", (3, 4, 4, 2), lambda: L.TimeDistributed(L.Conv2D(2, 3, padding="same"))
    )
    yield layer_case("time_distributed_flatten", (3, 2, 2, 2), lambda: L.TimeDistributed(L.Flatten()))
    yield layer_case(
        "time_distributed_batch_normalization", (4, 3), lambda: L.TimeDistributed(L.BatchNormalization())
    )
    yield Case(
        "time_distributed_model",
        lambda: sequential((3, 4), L.TimeDistributed(sequential((4,), L.Dense(3, activation="relu"), L.Dense(2)))),
    )
    yield on_tokens("embedding_masked_time_distributed", lambda: L.TimeDistributed(L.Dense(2)))
