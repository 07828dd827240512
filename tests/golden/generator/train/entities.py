"""Entities in labelled words from seqeval: by CoNLL's reading and strictly, for IOB1, IOB2, IOBES and BILOU."""

import warnings
from importlib.metadata import version

import numpy as np
from seqeval import scheme
from seqeval.metrics import accuracy_score, sequence_labeling, v1

# Without the prefixes that its default reading does not know.
LENIENT = {"iob1", "iob2", "iobes"}
STRICT = {"iob2": scheme.IOB2, "iobes": scheme.IOBES, "bilou": scheme.BILOU}
PREFIXES = {"iob1": "BI", "iob2": "BI", "iobes": "BIES", "bilou": "BILU"}


def sentences(rng, count, labels, p_outside):
    """Random labels: most of them do not fit together."""
    outside = len(labels) - 1
    made = []
    for length in rng.integers(0, 12, count):
        row = rng.integers(0, outside, length)
        row[rng.random(length) < p_outside] = outside
        made.append(row)
    return made


def answers(rng, truth, labels):
    """The truth with some labels changed."""
    return [np.where(rng.random(len(row)) < 0.25, rng.integers(0, len(labels), len(row)), row) for row in truth]


def collect():
    """Tensors: labels of the words of all texts, by number; the JSON holds the scores."""
    tensors, cases = {}, []
    rng = np.random.default_rng(45)
    for name, count, types, p_outside in (
        ("iob2", 40, ["LOC", "ORG", "PER"], 0.5),
        ("iob1", 40, ["LOC", "PER"], 0.5),
        ("iobes", 60, ["LOC", "ORG-X", "PER"], 0.3),
        ("bilou", 60, ["LOC", "PER"], 0.3),
        ("dense", 30, ["A", "B", "C", "D", "E", "F"], 0.0),
        ("sparse", 12, ["A", "B", "C"], 0.9),
    ):
        kind = name if name in PREFIXES else "iob2"
        labels = [f"{prefix}-{kind_}" for kind_ in types for prefix in PREFIXES[kind]] + ["O"]
        truth = sentences(rng, count, labels, p_outside)
        answer = answers(rng, truth, labels)
        ends = np.cumsum([len(row) for row in truth])
        tensors |= {
            f"{name}/truth": np.concatenate(truth).astype(np.int32),
            f"{name}/answer": np.concatenate(answer).astype(np.int32),
            f"{name}/ends": ends.astype(np.int32),
        }
        named = [[[labels[label] for label in row] for row in rows] for rows in (truth, answer)]
        values = {"accuracy": float(accuracy_score(*named))}
        if kind in LENIENT:
            values |= scores("entity", *named)
        if kind in STRICT:
            values |= scores("strict-entity", *named, scheme=STRICT[kind])
        cases.append({"case": name, "labels": labels, "values": values})
    return tensors, {"source": {"seqeval": version("seqeval")}, "tolerance": {"rtol": 1e-9, "atol": 1e-12}, "cases": cases}


def scores(name, truth, answer, **options):
    """Precision, recall and F1 in every average; of each type for the types that there are."""
    values = {}
    of = v1 if options else sequence_labeling
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for average in ("micro", "macro", "weighted"):
            found = of.precision_recall_fscore_support(truth, answer, average=average, **options)
            for score, value in zip(("precision", "recall", "f1"), found):
                values[f"{name}-{score}-{average}"] = float(value)
        if not options:
            found = of.precision_recall_fscore_support(truth, answer, average=None)
            types = sorted({kind for rows in (truth, answer) for row in rows for kind, _, _ in of.get_entities(row)})
            values["types"] = {
                kind: {"precision": float(p), "recall": float(r), "f1": float(f), "entities": int(n)}
                for kind, p, r, f, n in zip(types, *found)
            }
    return values
