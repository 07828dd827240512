"""Attention: the multi-head layer and the two without weights of their own projections."""

import numpy as np

from ..backend import keras
from ..case import Case, functional, token_ids

L = keras.layers


def cases():
    yield from multi_head()
    yield from dot_product()


def multi_head():
    def self_attention(name, call=None, shape=(5, 6), **options):
        arguments = {"num_heads": 2, "key_dim": 3} | options
        return Case(
            f"multi_head_attention_{name}",
            lambda: functional([shape], lambda x: L.MultiHeadAttention(**arguments)(x, x, **(call or {}))),
        )

    yield self_attention("self")
    yield self_attention("value_dim", value_dim=4)
    yield self_attention("output_shape", output_shape=4)
    yield self_attention("without_bias", use_bias=False)
    yield self_attention("causal", call={"use_causal_mask": True})
    yield self_attention("one_head", num_heads=1, key_dim=6)
    yield self_attention("two_axes", shape=(3, 2, 4), attention_axes=(1, 2))
    yield Case(
        "multi_head_attention_cross",
        lambda: functional(
            [(4, 6), (5, 3)], lambda query, value: L.MultiHeadAttention(num_heads=2, key_dim=3)(query, value)
        ),
    )
    yield Case(
        "multi_head_attention_key",
        lambda: functional(
            [(4, 6), (5, 3), (5, 4)],
            lambda query, value, key: L.MultiHeadAttention(num_heads=2, key_dim=3)(query, value, key),
        ),
        notes="inputs: query, value, key",
    )
    yield Case(
        "multi_head_attention_scores",
        lambda: functional(
            [(4, 6)],
            lambda x: L.MultiHeadAttention(num_heads=2, key_dim=3)(x, x, return_attention_scores=True),
        ),
        notes="outputs: attended values, then scores `[batch, heads, query, key]`",
    )
    yield Case("multi_head_attention_mask_input", mask_input, inputs=mask_arrays)
    yield Case(
        "multi_head_attention_padded",
        padded,
        inputs=token_ids(5, 7),
        notes="the mask of the Embedding hides padded keys; rows of padded queries attend to nothing but carry values",
    )
    yield Case("transformer_block", transformer_block)


def mask_input():
    x, mask = keras.Input((5, 6)), keras.Input((5, 5), dtype="int32")
    return keras.Model([x, mask], L.MultiHeadAttention(num_heads=2, key_dim=3)(x, x, attention_mask=mask))


def mask_arrays(rng, batch):
    mask = np.maximum(rng.integers(0, 2, (batch, 5, 5)), np.eye(5, dtype=np.int64))
    return [rng.normal(size=(batch, 5, 6)).astype(np.float32), mask.astype(np.int32)]


def padded():
    ids = keras.Input((5,), dtype="int32")
    x = L.Embedding(7, 4, mask_zero=True)(ids)
    x = L.MultiHeadAttention(num_heads=2, key_dim=2)(x, x)
    return keras.Model(ids, L.GlobalAveragePooling1D()(x))


def transformer_block():
    def connect(x):
        attended = L.MultiHeadAttention(num_heads=2, key_dim=3)(x, x)
        x = L.LayerNormalization(epsilon=1e-6)(L.Add()([x, attended]))
        hidden = L.Dense(4)(L.Dense(8, activation="gelu")(x))
        return L.LayerNormalization(epsilon=1e-6)(L.Add()([x, hidden]))

    return functional([(5, 4)], connect)


def dot_product():
    def attention(name, layer, shapes=((4, 3), (5, 3)), call=None, **options):
        return Case(name, lambda: functional(shapes, lambda *inputs: layer()(list(inputs), **(call or {}))), **options)

    yield attention("attention", L.Attention, notes="inputs: query, value; the value is the key as well")
    yield attention("attention_scale", lambda: L.Attention(use_scale=True))
    yield attention("attention_concat_score", lambda: L.Attention(score_mode="concat"))
    yield attention("attention_causal", L.Attention, shapes=((4, 3), (4, 3)), call={"use_causal_mask": True})
    yield attention("attention_key", L.Attention, shapes=((4, 3), (5, 2), (5, 3)), notes="inputs: query, value, key")
    yield attention("additive_attention", L.AdditiveAttention)
    yield Case("attention_padded", attention_padded, inputs=token_ids(5, 7))


def attention_padded():
    ids = keras.Input((5,), dtype="int32")
    x = L.Embedding(7, 4, mask_zero=True)(ids)
    x = L.Attention()([x, x])
    return keras.Model(ids, L.GlobalAveragePooling1D()(x))
