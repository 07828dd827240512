"""Embedding, masking and the recurrent layers."""

from ..backend import keras
from ..case import Case, functional, layer_case, sequential, token_ids
from .normalization import masked_rows

L = keras.layers

LENGTH, VOCABULARY = 5, 7
KINDS = {"simple_rnn": L.SimpleRNN, "lstm": L.LSTM, "gru": L.GRU}


def cases():
    yield from embedding()
    for name, layer in KINDS.items():
        yield from common(name, layer)
        yield from masked(name, layer)
    yield from particular()


def on_tokens(name, *layers, mask_zero=True, padded=True, **options):
    """A case of layers (given as functions) on an Embedding of padded ids."""
    return Case(
        name,
        lambda: sequential(
            (LENGTH,),
            L.Embedding(VOCABULARY, 3, mask_zero=mask_zero),
            *(layer() for layer in layers),
            dtype="int32",
        ),
        inputs=token_ids(LENGTH, VOCABULARY, padded),
        **options,
    )


def embedding():
    yield on_tokens("embedding", mask_zero=False, padded=False)
    yield on_tokens("embedding_mask_zero", notes="the mask itself changes no value: row 0 is looked up like any other")
    yield on_tokens("embedding_flatten_dense", L.Flatten, lambda: L.Dense(2), mask_zero=False)
    yield on_tokens("embedding_masked_global_average", L.GlobalAveragePooling1D)
    yield on_tokens("embedding_global_average", L.GlobalAveragePooling1D, mask_zero=False)
    yield on_tokens(
        "embedding_masked_global_max", L.GlobalMaxPooling1D, notes="GlobalMaxPooling1D does not use the mask"
    )
    yield on_tokens("embedding_masked_dense_average", lambda: L.Dense(4), L.GlobalAveragePooling1D)
    yield Case(
        "masking_global_average",
        lambda: sequential((5, 3), L.Masking(), L.GlobalAveragePooling1D()),
        inputs=masked_rows,
    )
    yield Case(
        "masking_value",
        lambda: sequential((5, 3), L.Masking(mask_value=-1.0), L.LSTM(2)),
        inputs=lambda rng, batch: [x - (x == 0) for x in masked_rows(rng, batch)],
        notes="masked steps also become zero in the output of Masking",
    )


def common(name, layer):
    shape = (LENGTH, 3)
    yield layer_case(name, shape, lambda: layer(4))
    yield layer_case(f"{name}_sequences", shape, lambda: layer(4, return_sequences=True))
    yield layer_case(f"{name}_backwards", shape, lambda: layer(4, go_backwards=True))
    yield layer_case(
        f"{name}_backwards_sequences", shape, lambda: layer(4, go_backwards=True, return_sequences=True)
    )
    yield layer_case(f"{name}_without_bias", shape, lambda: layer(4, use_bias=False))
    yield layer_case(f"{name}_relu", shape, lambda: layer(3, activation="relu", return_sequences=True))
    yield layer_case(f"{name}_unroll", shape, lambda: layer(4, unroll=True), notes="`unroll` changes no value")
    yield Case(
        f"{name}_state",
        lambda: functional([shape], lambda x: layer(4, return_sequences=True, return_state=True)(x)),
        notes="outputs: the sequence, then the last state (LSTM: h, then c)",
    )
    yield Case(
        f"{name}_stacked", lambda: sequential(shape, layer(4, return_sequences=True), layer(3), L.Dense(2))
    )
    yield layer_case(
        f"{name}_dropout",
        shape,
        lambda: layer(4, dropout=0.3, recurrent_dropout=0.2),
        train=False,
        notes="inference only: training mode draws random numbers",
    )
    yield Case(
        f"{name}_initial_state",
        lambda: functional(
            [shape] + [(4,)] * (2 if layer is L.LSTM else 1),
            lambda x, *state: layer(4)(x, initial_state=list(state)),
        ),
    )


def masked(name, layer):
    yield on_tokens(f"embedding_masked_{name}", lambda: layer(4))
    yield on_tokens(f"embedding_unmasked_{name}", lambda: layer(4), mask_zero=False)
    yield on_tokens(
        f"embedding_masked_{name}_sequences",
        lambda: layer(4, return_sequences=True),
        notes="a masked step repeats the output of the step before",
    )
    yield on_tokens(f"embedding_masked_{name}_stacked", lambda: layer(4, return_sequences=True), lambda: layer(3))
    yield on_tokens(f"embedding_masked_{name}_backwards", lambda: layer(4, go_backwards=True))
    yield on_tokens(
        f"embedding_masked_{name}_average", lambda: layer(4, return_sequences=True), L.GlobalAveragePooling1D
    )
    yield on_tokens(
        f"embedding_masked_{name}_zero_output",
        lambda: layer(4, return_sequences=True, zero_output_for_mask=True),
    )


def particular():
    shape = (LENGTH, 3)
    yield layer_case("lstm_hard_sigmoid", shape, lambda: L.LSTM(4, recurrent_activation="hard_sigmoid"))
    yield layer_case(
        "lstm_without_unit_forget_bias",
        shape,
        lambda: L.LSTM(4, unit_forget_bias=False),
        notes="`unit_forget_bias` is about initial values only",
    )
    yield layer_case("gru_reset_before", shape, lambda: L.GRU(4, reset_after=False))
    yield layer_case(
        "gru_reset_before_sequences", shape, lambda: L.GRU(4, reset_after=False, return_sequences=True)
    )
    yield layer_case("gru_reset_before_without_bias", shape, lambda: L.GRU(4, reset_after=False, use_bias=False))
    yield layer_case(
        "gru_reset_before_hard_sigmoid",
        shape,
        lambda: L.GRU(4, reset_after=False, recurrent_activation="hard_sigmoid"),
        notes="the GRU of Keras 1 and 2.0",
    )
    yield on_tokens("embedding_masked_gru_reset_before", lambda: L.GRU(4, reset_after=False))
    yield Case(
        "encoder_decoder",
        encoder_decoder,
        notes="the last state of one LSTM starts another",
    )


def encoder_decoder():
    def connect(source, target):
        _, h, c = L.LSTM(4, return_state=True)(source)
        decoded = L.LSTM(4, return_sequences=True)(target, initial_state=[h, c])
        return L.Dense(2)(decoded)

    return functional([(5, 3), (3, 2)], connect)
