"""Metrics from scikit-learn on inputs with ties, an empty class and sample weights; top-k from Keras as well."""

import numpy as np
import sklearn
from sklearn import metrics as m

from ..backend import keras

CLASSES = 5


def collect():
    """Tensors: the inputs of each problem; the JSON holds what every metric makes of them."""
    tensors, cases = {}, []
    for name, problem, arrays, values, notes in problems():
        tensors |= {f"{name}/{key}": array for key, array in arrays.items()}
        cases.append({"case": name, "problem": problem, "notes": notes, "inputs": list(arrays), "values": values})
    return tensors, {
        "source": {"scikit-learn": sklearn.__version__, "keras_* values": keras.__version__},
        "tolerance": {"rtol": 1e-9, "atol": 1e-12},
        "tolerance_of_keras_values": {"rtol": 1e-6, "atol": 1e-6},
        "cases": cases,
    }


def problems():
    rng = np.random.default_rng(41)
    yield from multiclass(rng)
    yield from binary(rng)
    yield from regression(rng)


def plain(value):
    """Arrays as lists, undefined numbers as null."""
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    value = np.asarray(value, np.float64)
    return np.where(np.isnan(value), None, value).tolist()


def multiclass(rng):
    n = 40
    for name, present, notes in (
        ("multiclass", CLASSES, "every class occurs"),
        ("multiclass_empty_class", CLASSES - 1, "the last class occurs in no target; some predictions name it"),
        ("multiclass_absent_class", CLASSES - 1, "the last class occurs neither in targets nor in predictions"),
    ):
        target = rng.integers(0, present, n).astype(np.int32)
        chances = np.full((n, CLASSES), 0.6) + 1.5 * np.eye(CLASSES)[target]
        if name == "multiclass_absent_class":
            chances[:, -1] = 0.0
        chances /= chances.sum(axis=1, keepdims=True)
        scores = np.stack([rng.multinomial(8, row) for row in chances]).astype(np.float32) / 8
        predicted = scores.argmax(axis=1).astype(np.int32)
        weight = rng.integers(0, 4, n).astype(np.float32) / 2
        arrays = {"target": target, "scores": scores, "predicted": predicted, "sample_weight": weight}
        values = plain(
            {
                "unweighted": classification(target, scores, predicted, None),
                "weighted": classification(target, scores, predicted, weight),
            }
        )
        notes += "; scores are eighths with ties, the first maximum is predicted"
        yield name, "multiclass", arrays, values, notes


def classification(target, scores, predicted, weight):
    labels = list(range(CLASSES))
    values = {
        "accuracy": m.accuracy_score(target, predicted, sample_weight=weight),
        "confusion_matrix": m.confusion_matrix(target, predicted, labels=labels, sample_weight=weight),
        "support": np.bincount(target, weight, CLASSES),
    }
    for average in (None, "micro", "macro", "weighted"):
        result = m.precision_recall_fscore_support(
            target, predicted, labels=labels, average=average, sample_weight=weight, zero_division=0
        )
        values |= {f"{key}_{average or 'per_class'}": v for key, v in zip(("precision", "recall", "f1"), result)}
    seen = m.precision_recall_fscore_support(
        target, predicted, average="macro", sample_weight=weight, zero_division=0
    )
    values |= {f"{key}_macro_of_seen_classes": v for key, v in zip(("precision", "recall", "f1"), seen)}
    for k in (1, 2, 3):
        values[f"top_{k}_last_of_ties_first"] = m.top_k_accuracy_score(
            target, scores, k=k, labels=labels, sample_weight=weight
        )
        hits = np.array(keras.ops.in_top_k(target, scores, k=k))
        values[f"keras_top_{k}_all_of_ties_count"] = np.average(hits, weights=weight)
    per_class = [binary_auc(target == label, scores[:, label], weight) for label in labels]
    values["roc_auc_per_class"] = per_class
    if len(np.unique(target)) == CLASSES:
        for average in ("macro", "weighted"):
            values[f"roc_auc_one_vs_rest_{average}"] = m.roc_auc_score(
                target, scores, multi_class="ovr", average=average, sample_weight=weight
            )
    return values


def binary_auc(target, scores, weight):
    """Undefined where one of the two classes is empty."""
    if target.all() or not target.any():
        return np.nan
    return m.roc_auc_score(target, scores, sample_weight=weight)


def binary(rng):
    n = 50
    target = rng.integers(0, 2, n).astype(np.int32)
    scores = (np.round((0.3 * target + rng.uniform(0, 0.7, n)) * 8) / 8).astype(np.float32)
    weight = rng.integers(0, 4, n).astype(np.float32) / 2
    arrays = {"target": target, "scores": scores, "sample_weight": weight}
    values = {key: binary_values(target, scores, w) for key, w in (("unweighted", None), ("weighted", weight))}
    yield "binary", "binary", arrays, plain(values), "scores are eighths with ties; predicted = score >= 0.5"
    constant = np.full(n, 0.5, np.float32)
    values = {"unweighted": binary_values(target, constant, None)}
    arrays = {"target": target, "scores": constant}
    yield "binary_constant_scores", "binary", arrays, plain(values), "all scores equal: the area is one half"


def binary_values(target, scores, weight):
    predicted = scores >= 0.5
    precision, recall, f1, _ = m.precision_recall_fscore_support(
        target, predicted, average="binary", sample_weight=weight, zero_division=0
    )
    return {
        "accuracy": m.accuracy_score(target, predicted, sample_weight=weight),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "roc_auc": m.roc_auc_score(target, scores, sample_weight=weight),
        "confusion_matrix": m.confusion_matrix(target, predicted, sample_weight=weight),
    }


def regression(rng):
    n = 30
    for name, outputs, notes in (
        ("regression", 1, ""),
        ("regression_three_outputs", 3, "R² is the mean over the outputs"),
        ("regression_constant_target", 1, "all targets equal: R² is 0 where predictions differ from it"),
    ):
        target = rng.normal(5, 2, (n, outputs)).astype(np.float32)
        if name == "regression_constant_target":
            target[:] = 3.0
        predicted = (target + rng.normal(0, 1, target.shape)).astype(np.float32)
        weight = rng.integers(0, 4, n).astype(np.float32) / 2
        arrays = {"target": target, "predicted": predicted, "sample_weight": weight}
        values = {}
        for key, w in (("unweighted", None), ("weighted", weight)):
            t, p = target.astype(np.float64), predicted.astype(np.float64)
            values[key] = {
                "mean_squared_error": m.mean_squared_error(t, p, sample_weight=w),
                "mean_absolute_error": m.mean_absolute_error(t, p, sample_weight=w),
                "r2": m.r2_score(t, p, sample_weight=w),
                "r2_per_output": m.r2_score(t, p, sample_weight=w, multioutput="raw_values"),
            }
        yield name, "regression", arrays, plain(values), notes
