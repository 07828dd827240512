"""What the programs that follow a recipe of retune share: the recipe, tables of texts, scores with intervals, memory."""

import csv
import resource
import sys
import tomllib
from pathlib import Path

import numpy as np


class Recipe:
    """The recipe that a run has kept, by `section.key`."""

    def __init__(self, path: Path):
        self.sections = tomllib.loads(path.read_text(encoding="utf-8"))

    def get(self, name: str, default=None):
        section, key = name.split(".")
        return self.sections.get(section, {}).get(key, default)

    def parts(self) -> dict[str, Path]:
        """The paths of train, validation and test: given one by one, or found in the folder of the data."""
        path = Path(self.get("data.path"))
        if not path.is_dir():
            return {"train": path, "validation": Path(self.get("data.validation")), "test": Path(self.get("data.test"))}
        found = {}
        for part, names in {"train": ["train"], "validation": ["validation", "dev"], "test": ["test"]}.items():
            found[part] = next(child for name in names for child in sorted(path.glob(name + "*")))
        return found

    def step_sizes(self, steps_per_epoch: int) -> tuple[int, int]:
        """All steps, and those of the warmup."""
        total = min(self.get("train.epochs") * steps_per_epoch, self.get("train.max-steps", sys.maxsize))
        return total, round(self.get("schedule.warmup-epochs", 0.0) * steps_per_epoch)


def table(path: Path, encoding: str) -> tuple[list[str], list[str]]:
    """Texts and labels of a table between commas or tabs, or of lines of label and text. The label is the shorter column."""
    lines = path.read_text(encoding=encoding).split("\n")
    lines = [line.rstrip("\r") for line in lines if line.strip()]
    if path.suffix == ".csv":
        rows = list(csv.reader(lines))
    elif path.suffix == ".tsv":
        rows = [line.split("\t", 1) for line in lines]
    else:
        rows = [line.split(" ", 1) for line in lines]
    if "label" in rows[0]:
        rows = rows[1:]
    label = int(np.argmin([sum(len(row[column]) for row in rows) for column in (0, 1)]))
    return [row[1 - label] for row in rows], [row[label] for row in rows]


def f1_macro(truth: np.ndarray, answers: np.ndarray) -> float:
    """The mean over classes of the harmonic mean of precision and recall."""
    scores = []
    for label in np.unique(truth):
        right = np.sum((truth == label) & (answers == label))
        scores.append(2 * right / (np.sum(truth == label) + np.sum(answers == label)))
    return float(np.mean(scores))


METRICS = {"accuracy": lambda truth, answers: float(np.mean(truth == answers)), "f1-macro": f1_macro}


def score(part: str, metric: str, truth: np.ndarray, answers: np.ndarray) -> dict:
    """The metric with its 95 % interval, by 2,000 resamples that have as many items of each class."""
    measure, random = METRICS[metric], np.random.default_rng(0)
    classes = [np.flatnonzero(truth == label) for label in np.unique(truth)]
    values = []
    for _ in range(2000):
        drawn = np.concatenate([random.choice(items, len(items)) for items in classes])
        values.append(measure(truth[drawn], answers[drawn]))
    low, high = np.percentile(values, [2.5, 97.5])
    return {"part": part, "items": len(truth), "value": measure(truth, answers), "low": float(low), "high": float(high)}


def peak_bytes() -> int:
    """The most memory that this process held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
