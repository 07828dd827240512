"""Lets retune train models on tables and Keras load them, and compares the answers of both for raw rows.

usage: tables.py --retune PROGRAM --scratch FOLDER

Tables of numbers and categories, with missing values, are made here, one with classes and one with values. retune trains
a model on each (`kind = "table"`) and answers rows that training never saw, among them categories that are new. Keras
loads the `.keras` file; the rows are encoded here by the columns that the file describes, in plain numpy. A difference above
1e-5 (relative above 1) or a refusal makes the program fail.
"""

import argparse
import csv
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np

TOLERANCE = 1e-5
CITIES = ["Bern", "Genf", "Basel", "Chur", ""]
PLANS = ["basic", "plus", "max"]
COLUMNS = ["age", "income", "member", "city", "plan"]


def rows_of(random: np.random.Generator, count: int, cities: list[str]) -> list[dict[str, str]]:
    """Rows of a number, a number that may be missing, a flag, and two categories."""
    rows = []
    for _ in range(count):
        income = "" if random.random() < 0.1 else f"{random.lognormal(10, 1):.2f}"
        rows.append({
            "age": str(random.integers(18, 90)),
            "income": income,
            "member": str(random.choice(["true", "false"])),
            "city": str(random.choice(cities)),
            "plan": str(random.choice(PLANS)),
        })
    return rows


def churn(row: dict[str, str]) -> str:
    """A class that a number and a category tell together."""
    return "yes" if int(row["age"]) < 45 and row["plan"] != "max" else "no"


def price(row: dict[str, str]) -> str:
    """A value of some thousands."""
    return str(2000 + 40 * int(row["age"]) + (900 if row["city"] == "Genf" else 0))


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def run(*command: object) -> str:
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def number(text: str) -> float | None:
    """A text as a number; `None` where it is missing."""
    flags = {"true": 1.0, "false": 0.0}
    return None if text in ("", "?") else flags.get(text.lower()) if text.lower() in flags else float(text)


def encoded(schema: dict, rows: list[dict[str, str]]) -> tuple[np.ndarray, np.ndarray]:
    """The numbers and the indices of categories that the network takes, by the columns that its file describes."""
    numbers = [column for column in schema["columns"] if column["kind"] == "number"]
    categories = [column for column in schema["columns"] if column["kind"] == "category"]
    all_numbers, all_indices = [], []
    for row in rows:
        values, missing, indices, offset = [], [], [], 0
        for column in numbers:
            given = number(row[column["name"]])
            x = column["median"] if given is None else given
            values.append((x - column["mean"]) / column["std"])
            bounds = column.get("bounds", [])
            values += [float(np.clip((x - low) / (high - low), 0, 1)) for low, high in zip(bounds, bounds[1:])]
            if column["has-missing"]:
                missing.append(float(given is None))
        for column in categories:
            text, known = row[column["name"]], column["values"]
            index = 1 if text in ("", "?") else known.index(text) + 2 if text in known else 0
            indices.append(offset + index)
            offset += len(known) + 2
        all_numbers.append(values + missing)
        all_indices.append(indices)
    return np.array(all_numbers, "float32"), np.array(all_indices, "int32")


def answers(retune: Path, model: Path, table: Path, names: list[str] | None) -> np.ndarray:
    """What retune answers for every row: probabilities in the order of the classes, or a value."""
    found = json.loads(run(retune, "--json", "predict", "--model", model, "--input", table))["predictions"]
    if names is None:
        return np.array([[float(row["value"])] for row in found])
    return np.array([[row["probabilities"][name] for name in names] for row in found])


def compared(retune: Path, folder: Path, name: str, target) -> bool:
    """Trains on a table, compares the answers, prints a line; whether they agree."""
    random = np.random.default_rng(11)
    training = [row | {"target": target(row)} for row in rows_of(random, 500, CITIES)]
    new = rows_of(random, 200, [*CITIES, "Wien"])
    write(folder / f"{name}.csv", training)
    write(folder / f"{name}-new.csv", new)
    labels = '\nlabels = "real"' if target is price else ""
    data = f'[data]\npath = "{name}.csv"\nlabel = "target"{labels}\n'
    (folder / f"{name}.toml").write_text(f'[model]\nkind = "table"\nhidden = [32, 16]\n{data}[train]\nepochs = 5\n')
    run(retune, "--quiet", "fit", folder / f"{name}.toml", "--output", folder / "runs" / name)
    path = folder / "runs" / name / "model.keras"
    with zipfile.ZipFile(path) as archive:
        stored = json.loads(archive.read("retune.json"))["preprocessing"]
    numbers, indices = encoded(stored["table"], new)
    model = keras.models.load_model(path, compile=False)
    by_type = {"float32": numbers, "int32": indices}
    outputs = np.asarray(model([by_type[tensor.dtype] for tensor in model.inputs], training=False))
    own = answers(retune, path, folder / f"{name}-new.csv", stored.get("class-names"))
    difference = float(np.max(np.abs(outputs - own) / np.maximum(1, np.abs(own))))
    agrees = own.shape == outputs.shape and np.allclose(outputs, own, atol=TOLERANCE, rtol=TOLERANCE)
    print(f"{name:10} {len(new)} rows  largest difference {difference:.1e}  {'equal' if agrees else 'DIFFERENT'}")
    return agrees


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--retune", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.scratch.mkdir(parents=True, exist_ok=True)
    tables = [("classes", churn), ("values", price)]
    found = [compared(arguments.retune, arguments.scratch, name, target) for name, target in tables]
    sys.exit(0 if all(found) else 1)


if __name__ == "__main__":
    main()
