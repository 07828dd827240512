"""Metrics of classes, of yes and no, and of labels from scikit-learn, by retune's names.

Scores have ties or are all different; classes may be empty; weights are halves, some 0. Two differences in meaning are bridged
here: macro areas are means over the classes that have an area (scikit-learn fails or counts 0), and what scikit-learn calls
undefined is null. scikit-learn has no expected calibration error, and breaks ties of top-k otherwise: both are plain numpy here.
"""

import warnings

import numpy as np
import sklearn
from sklearn import metrics as m

BINS = 15


def collect():
    """Tensors: the inputs of each problem; the JSON holds what every metric makes of them."""
    tensors, cases = {}, []
    for name, problem, target, scores, notes in problems():
        rng = np.random.default_rng(len(cases))
        weight = (rng.integers(0, 4, len(target)) / 2).astype(np.float32)
        arrays = {"target": target, "scores": scores, "sample_weight": weight}
        tensors |= {f"{name}/{key}": array for key, array in arrays.items()}
        values = {}
        for weighting, w in (("unweighted", None), ("weighted", weight.astype(np.float64))):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = METRICS[problem](target, scores.astype(np.float64), w)
            values[weighting] = {key: None if np.isnan(value) else float(value) for key, value in found.items()}
        cases.append({"case": name, "problem": problem, "notes": notes, "values": values})
    return tensors, {
        "source": {"scikit-learn": sklearn.__version__},
        "tolerance": {"rtol": 1e-9, "atol": 1e-12},
        "cases": cases,
    }


def problems():
    rng = np.random.default_rng(47)
    for name, n, classes, present, ties, notes in (
        ("classes", 200, 4, 4, False, "all scores differ"),
        ("classes_ties", 80, 5, 5, True, "scores are eighths"),
        ("classes_empty", 60, 5, 4, True, "the last class occurs in no target; some predictions name it"),
        ("two_classes", 70, 2, 2, False, "two classes with a score each"),
        ("one_class", 12, 3, 1, True, "all targets are of one class"),
        ("many_classes", 150, 30, 28, False, "some classes are empty, most are rare"),
    ):
        target = rng.integers(0, present, n).astype(np.int32)
        chances = np.full((n, classes), 0.6) + 1.5 * np.eye(classes)[target]
        chances *= rng.gamma(1.0, 1.0, chances.shape)
        chances /= chances.sum(axis=1, keepdims=True)
        if ties:
            chances = np.stack([rng.multinomial(8, row) for row in chances]) / 8
        yield name, "multiclass", target, chances.astype(np.float32), notes
    for name, n, ties, wanted in (
        ("binary", 120, False, None),
        ("binary_ties", 90, True, None),
        ("binary_all_positive", 15, True, 1),
        ("binary_all_negative", 15, True, 0),
        ("binary_always_no", 30, False, None),
    ):
        target = (rng.uniform(size=n) < 0.4).astype(np.int32) if wanted is None else np.full(n, wanted, np.int32)
        scores = np.clip(0.25 * target + rng.uniform(0, 0.75, n), 0, 1)
        if ties:
            # Odd sixteenths: never one half, where scikit-learn's users and Keras answer differently.
            scores = (2 * np.minimum(np.floor(scores * 8), 7) + 1) / 16
        if name == "binary_always_no":
            scores *= 0.4
        yield name, "binary", target, scores.astype(np.float32), ""
    for name, n, labels, ties, notes in (
        ("labels", 80, 5, False, ""),
        ("labels_ties", 60, 4, True, "some items have no label, none is answered for some"),
        ("labels_empty", 40, 3, True, "the last label never occurs, the first always does"),
    ):
        target = (rng.uniform(size=(n, labels)) < np.linspace(0.15, 0.5, labels)).astype(np.float32)
        if name == "labels_empty":
            target[:, 0], target[:, -1] = 1, 0
        scores = 0.3 * target + rng.uniform(0, 0.7, target.shape)
        if ties:
            scores = (2 * np.minimum(np.floor(scores * 8), 7) + 1) / 16
        yield name, "multilabel", target, scores.astype(np.float32), notes


def class_scores(target, predicted, weight, labels, averages):
    """Precision, recall, F1 and Jaccard of each class and by each average."""
    values = {}
    for average in (None, *averages):
        result = m.precision_recall_fscore_support(
            target, predicted, labels=labels, average=average, sample_weight=weight, zero_division=0
        )[:3]
        jaccard = m.jaccard_score(
            target, predicted, labels=labels, average=average, sample_weight=weight, zero_division=0
        )
        for key, value in zip(("precision", "recall", "f1", "jaccard"), (*result, jaccard)):
            if average is None:
                values |= {f"{key}-class-{label}": v for label, v in zip(labels, value)}
            else:
                values[f"{key}-{average}"] = value
    return values


def areas(one_hot, scores, weight):
    """ROC AUC and average precision of each class and by each average."""
    values = {}
    for key, area, defined in (
        ("roc-auc", m.roc_auc_score, lambda t: 0 < np.average(t, weights=weight) < 1),
        ("pr-auc", m.average_precision_score, lambda t: np.average(t, weights=weight) > 0),
    ):
        each = np.array(
            [
                area(one_hot[:, c], scores[:, c], sample_weight=weight) if defined(one_hot[:, c]) else np.nan
                for c in range(one_hot.shape[1])
            ]
        )
        values |= {f"{key}-class-{c}": value for c, value in enumerate(each)}
        positives = one_hot.T @ (np.ones(len(one_hot)) if weight is None else weight)
        there = ~np.isnan(each)
        values[f"{key}-macro"] = values[key] = each[there].mean() if there.any() else np.nan
        values[f"{key}-weighted"] = np.average(each[there], weights=positives[there]) if there.any() else np.nan
        values[f"{key}-micro"] = area(one_hot, scores, average="micro", sample_weight=weight)
    return values


def calibration(confidence, right, weight):
    """Expected calibration error of 15 bins of equal width."""
    place = np.digitize(confidence, np.linspace(0, 1, BINS + 1)[1:-1], right=True)
    weight = np.ones(len(right)) if weight is None else weight
    gaps = [abs(np.sum((weight * (right - confidence))[place == b])) for b in range(BINS)]
    return np.sum(gaps) / np.sum(weight)


def single_label(target, predicted, weight):
    return {
        "accuracy": m.accuracy_score(target, predicted, sample_weight=weight),
        "balanced-accuracy": m.balanced_accuracy_score(target, predicted, sample_weight=weight),
        "matthews-correlation": m.matthews_corrcoef(target, predicted, sample_weight=weight),
        "cohen-kappa": m.cohen_kappa_score(target, predicted, sample_weight=weight),
    }


def multiclass(target, scores, weight):
    predicted, labels = scores.argmax(axis=1), list(range(scores.shape[1]))
    one_hot = np.eye(len(labels))[target]
    top_3 = (scores > scores[np.arange(len(target)), target][:, None]).sum(axis=1) < 3
    return (
        single_label(target, predicted, weight)
        | class_scores(target, predicted, weight, labels, ("micro", "macro", "weighted"))
        | areas(one_hot, scores, weight)
        | {
            "top-3-accuracy": np.average(top_3, weights=weight),
            "log-loss": m.log_loss(target, scores, sample_weight=weight, labels=labels),
            "brier-score": m.brier_score_loss(target, scores, sample_weight=weight, labels=labels),
            "expected-calibration-error": calibration(scores.max(axis=1), predicted == target, weight),
        }
    )


def binary(target, scores, weight):
    predicted = (scores > 0.5).astype(int)
    values = class_scores(target, predicted, weight, [0, 1], ("micro", "macro", "weighted"))
    values |= {key: values[f"{key}-class-1"] for key in ("precision", "recall", "f1", "jaccard")}
    two = areas(np.stack([1 - target, target], axis=1), np.stack([1 - scores, scores], axis=1), weight)
    for key in ("roc-auc", "pr-auc"):
        values |= {name: two[name] for name in two if name.startswith(f"{key}-class")}
        values[key] = two[f"{key}-class-1"]
    return (
        single_label(target, predicted, weight)
        | values
        | {
            "log-loss": m.log_loss(target, scores, sample_weight=weight, labels=[0, 1]),
            "brier-score": m.brier_score_loss(target, scores, sample_weight=weight, pos_label=1),
            "expected-calibration-error": calibration(
                np.where(predicted == 1, scores, 1 - scores), predicted == target, weight
            ),
        }
    )


def multilabel(target, scores, weight):
    predicted, labels = (scores > 0.5).astype(int), list(range(target.shape[1]))
    target = target.astype(int)
    right = predicted == target
    repeated = None if weight is None else np.repeat(weight, len(labels))
    hamming = m.hamming_loss(target, predicted, sample_weight=weight)
    columns = [(target[:, c], scores[:, c]) for c in labels]
    confidence = np.where(predicted == 1, scores, 1 - scores)
    return (
        class_scores(target, predicted, weight, labels, ("micro", "macro", "weighted", "samples"))
        | areas(target, scores, weight)
        | {
            "accuracy": 1 - hamming,
            "hamming-loss": hamming,
            "subset-accuracy": m.accuracy_score(target, predicted, sample_weight=weight),
            "log-loss": np.mean([m.log_loss(t, s, sample_weight=weight, labels=[0, 1]) for t, s in columns]),
            "brier-score": np.mean([m.brier_score_loss(t, s, sample_weight=weight, pos_label=1) for t, s in columns]),
            "expected-calibration-error": calibration(confidence.ravel(), right.ravel(), repeated),
        }
    )


METRICS = {"multiclass": multiclass, "binary": binary, "multilabel": multilabel}
