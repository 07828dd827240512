"""Keras's losses: a value per example, their means with and without sample weights, and gradients."""

import numpy as np

from ..backend import keras, tf

BATCH, CLASSES = 6, 4
REDUCTIONS = {
    # name in the files: (Keras's reduction, whether the sample weights are given)
    "mean": ("sum_over_batch_size", False),
    "weighted_sum_over_batch": ("sum_over_batch_size", True),
    "weighted_mean": ("mean_with_sample_weight", True),
    "weighted_sum": ("sum", True),
}


def collect():
    """Tensors per case: `target`, `prediction`, `sample_weight`, `per_example`; per reduction value and gradient."""
    tensors, cases = {}, []
    for index, (name, loss, config, target, prediction, notes) in enumerate(problems(np.random.default_rng(21))):
        tensors[f"{name}/target"], tensors[f"{name}/prediction"] = target, prediction
        values = loss(reduction=None, **config)(target, prediction).numpy()
        tensors[f"{name}/per_example"] = values
        weight = np.random.default_rng([22, index]).uniform(0, 2, values.shape).astype(np.float32)
        weight[2] = 0.0
        tensors[f"{name}/sample_weight"] = weight
        for reduction, (keras_reduction, weighted) in REDUCTIONS.items():
            variable = tf.Variable(prediction)
            with tf.GradientTape() as tape:
                function = loss(reduction=keras_reduction, **config)
                value = function(target, variable, sample_weight=weight if weighted else None)
            tensors[f"{name}/{reduction}"] = value.numpy()
            tensors[f"{name}/{reduction}/grad"] = tape.gradient(value, variable).numpy()
        cases.append({"case": name, "loss": loss.__name__, "config": config, "notes": notes})
    return tensors, {
        "source": f"keras {keras.__version__}",
        "tolerance": {"rtol": 1e-5, "atol": 1e-6},
        "reductions": {
            "mean": "sum of the values per example / number of values",
            "weighted_sum_over_batch": "sum of weight * value / number of values (Keras's default with sample weights)",
            "weighted_mean": "sum of weight * value / sum of the weights, one weight per value",
            "weighted_sum": "sum of weight * value",
        },
        "cases": cases,
    }


def problems(rng):
    """Yields name, class, configuration, target, prediction, notes."""
    losses = keras.losses
    logits = rng.normal(0, 2, (BATCH, CLASSES)).astype(np.float32)
    probabilities = softmax(logits)
    ids = rng.integers(0, CLASSES, BATCH).astype(np.int32)
    one_hot = np.eye(CLASSES, dtype=np.float32)[ids]
    soft = softmax(rng.normal(0, 1, (BATCH, CLASSES)).astype(np.float32))
    agrees = "the same as PyTorch's cross entropy on logits"
    for kind, prediction, from_logits in (("logits", logits, True), ("probabilities", probabilities, False)):
        config = {"from_logits": from_logits}
        note = agrees if from_logits else "probabilities are divided by their sum and clipped to [1e-7, 1 - 1e-7]"
        sparse, categorical = losses.SparseCategoricalCrossentropy, losses.CategoricalCrossentropy
        yield f"sparse_cross_entropy_{kind}", sparse, config, ids, prediction, note
        yield f"cross_entropy_{kind}", categorical, config, one_hot, prediction, note
        smoothed = config | {"label_smoothing": 0.1}
        smooth_note = note + "; target = target * (1 - s) + s / classes, as in PyTorch"
        yield f"cross_entropy_{kind}_smoothed", categorical, smoothed, one_hot, prediction, smooth_note
        yield f"cross_entropy_{kind}_soft_target", categorical, config, soft, prediction, note

    certain = one_hot.copy()
    certain[3:] = np.roll(certain[3:], 1, axis=1)
    yield (
        "cross_entropy_certain_probabilities",
        losses.CategoricalCrossentropy,
        {"from_logits": False},
        one_hot,
        certain,
        "probabilities of exactly 0 and 1, right in the first three rows: clipped, so that no gradient remains",
    )
    extreme = (logits * 40).astype(np.float32)
    yield (
        "sparse_cross_entropy_extreme_logits",
        losses.SparseCategoricalCrossentropy,
        {"from_logits": True},
        ids,
        extreme,
        agrees,
    )
    tokens = rng.normal(0, 2, (BATCH, 3, CLASSES)).astype(np.float32)
    token_ids = rng.integers(0, CLASSES, (BATCH, 3)).astype(np.int32)
    yield (
        "sparse_cross_entropy_sequence",
        losses.SparseCategoricalCrossentropy,
        {"from_logits": True},
        token_ids,
        tokens,
        "one value and one sample weight per step; the means are over all steps",
    )
    token_ids = token_ids.copy()
    token_ids[1, 1:] = -1
    token_ids[4] = -1
    yield (
        "sparse_cross_entropy_ignore_class",
        losses.SparseCategoricalCrossentropy,
        {"from_logits": True, "ignore_class": -1},
        token_ids,
        tokens,
        "ignored steps give 0, and means are over the steps that are not ignored",
    )

    scores = rng.normal(0, 2, (BATCH, 3)).astype(np.float32)
    labels = rng.integers(0, 2, (BATCH, 3)).astype(np.float32)
    for kind, prediction, from_logits in (("logits", scores, True), ("probabilities", sigmoid(scores), False)):
        config = {"from_logits": from_logits}
        yield f"binary_cross_entropy_{kind}", losses.BinaryCrossentropy, config, labels, prediction, (
            "value per example: the mean over the last axis"
        )
        smoothed = config | {"label_smoothing": 0.2}
        yield f"binary_cross_entropy_{kind}_smoothed", losses.BinaryCrossentropy, smoothed, labels, prediction, (
            "target = target * (1 - s) + s / 2"
        )
    yield "binary_cross_entropy_extreme_logits", losses.BinaryCrossentropy, {"from_logits": True}, labels, (
        (scores * 40).astype(np.float32)
    ), ""

    values = rng.normal(0, 2, (BATCH, 3)).astype(np.float32)
    truth = rng.normal(0, 2, (BATCH, 3)).astype(np.float32)
    yield "mean_squared_error", losses.MeanSquaredError, {}, truth, values, "the mean equals PyTorch's MSELoss"
    yield "mean_absolute_error", losses.MeanAbsoluteError, {}, truth, values, "the mean equals PyTorch's L1Loss"
    for delta in (1.0, 0.5, 2.5):
        yield f"huber_{delta}".replace(".", "_"), losses.Huber, {"delta": delta}, truth, values, (
            "the mean equals PyTorch's HuberLoss (SmoothL1Loss divides by its beta)"
        )


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return (e / e.sum(axis=-1, keepdims=True)).astype(np.float32)


def sigmoid(x):
    return (1 / (1 + np.exp(-x))).astype(np.float32)
