"""Lets retune convert Keras models and Keras load the result, and compares what both compute with the original.

usage: compare.py --retune PROGRAM --scratch FOLDER MODEL...

A MODEL is a Keras file, a folder of `tests/golden` that is a case, or a folder of such cases. Each is converted to
`.keras` and to `.h5`. The reference is what Keras computes from the original: recorded in the case, or computed here on
random inputs. The table has one row for each converted file; a difference above the tolerance (1e-5, relative above 1,
unless the case says otherwise), a refusal or a file that Keras does not load makes the program fail.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden"
sys.path.insert(0, str(GOLDEN))

import generator.cases  # noqa: E402, F401  (registers the functions that golden models name)
from generator.backend import keras  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402

TOLERANCE = {"atol": 1e-5, "rtol": 1e-5}

# Verdicts that do not count against retune.
EQUAL = "equal"
KERAS_TOO = "Keras cannot either"


@dataclass
class Reference:
    """A model, and what Keras computes from it."""

    name: str
    path: Path
    inputs: list[np.ndarray]
    outputs: list[np.ndarray]
    tolerance: dict[str, float]

    def difference(self, outputs: list[np.ndarray]) -> tuple[float, bool]:
        """The largest difference, and whether all are within the tolerance."""
        worst, within = 0.0, len(outputs) == len(self.outputs)
        for output, wanted in zip(outputs, self.outputs):
            if output.shape != wanted.shape:
                return float("nan"), False
            atol, rtol = self.tolerance["atol"], self.tolerance["rtol"]
            within &= bool(np.allclose(output, wanted, atol=atol, rtol=rtol, equal_nan=True))
            if output.size:
                worst = max(worst, float(np.nanmax(np.abs(output - wanted))))
        return worst, within


def computed(model: keras.Model, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Outputs in inference, in the model's order."""
    outputs = model(inputs[0] if len(inputs) == 1 else inputs, training=False)
    return [np.asarray(output) for output in keras.tree.flatten(outputs)]


def golden_reference(folder: Path) -> Reference:
    """The recorded inputs and outputs of a case."""
    case = json.loads((folder / "case.json").read_text())
    tensors = load_file(folder / "case.safetensors")
    path = folder / "model.h5" if (folder / "model.h5").exists() else folder / "model.keras"
    inputs = [tensors[f"input/{index}"] for index in range(len(case["inputs"]))]
    outputs = [tensors[f"output/{index}"] for index in range(len(case["outputs"]))]
    return Reference(f"{folder.parent.name}/{folder.name}", path, inputs, outputs, case["tolerance"]["output"])


def file_reference(path: Path) -> Reference:
    """What Keras computes from a file on standard normal inputs, four examples of them."""
    model = keras.models.load_model(path, compile=False)
    random = np.random.default_rng(7)
    shapes = [[4 if size is None else size for size in tensor.shape] for tensor in model.inputs]
    inputs = [random.standard_normal(shape).astype("float32") for shape in shapes]
    return Reference(path.name, path, inputs, computed(model, inputs), TOLERANCE)


def references(argument: str) -> list[Reference]:
    """Every model that an argument names."""
    path = Path(argument)
    if path.is_file():
        return [file_reference(path)]
    if (path / "case.json").exists():
        return [golden_reference(path)]
    cases = sorted(case.parent for case in path.glob("*/case.json"))
    if not cases:
        sys.exit(f"error: `{path}` is neither a file nor a folder with golden cases")
    return [golden_reference(case) for case in cases]


def first_line(error: Exception) -> str:
    """What went wrong, short enough for a table."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].replace("|", "/")[:120]


def keras_itself_fails(reference: Reference, suffix: str) -> bool:
    """Whether Keras does not get through the same round trip: from the original to this format and back."""
    try:
        path = reference.path.with_suffix(".keras")
        model = keras.models.load_model(path if path.exists() else reference.path, compile=False)
        again = SCRATCH / f"keras{suffix}"
        model.save(again)
        return not reference.difference(computed(keras.models.load_model(again, compile=False), reference.inputs))[1]
    except Exception:
        return True


def run(*arguments: object) -> str | None:
    """Runs retune; the first line of its complaint if it fails."""
    finished = subprocess.run([RETUNE, *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if finished.returncode == 0:
        return None
    lines = [line.strip() for line in finished.stderr.splitlines() if line.strip()]
    return lines[0].replace("|", "/") if lines else f"exit status {finished.returncode}"


def compare(reference: Reference, suffix: str) -> tuple[str, str, str]:
    """Converts a model; the differences in Keras and in retune, and the verdict: `EQUAL`, or what is wrong."""
    converted = SCRATCH / f"model{suffix}"
    converted.unlink(missing_ok=True)
    if complaint := run("convert", reference.path, converted):
        return "–", "–", f"not converted: {complaint}"
    try:
        outputs = computed(keras.models.load_model(converted, compile=False), reference.inputs)
    except Exception as error:
        if keras_itself_fails(reference, suffix):
            return "–", "–", f"{KERAS_TOO}: {first_line(error)}"
        return "–", "–", f"Keras: {first_line(error)}"
    in_keras, within = reference.difference(outputs)
    if not within:
        return f"{in_keras:.1e}", "–", "differs in Keras"
    if len(reference.inputs) > 1 or len(reference.outputs) > 1:
        return f"{in_keras:.1e}", "several inputs or outputs", EQUAL
    given, got = SCRATCH / "input.npy", SCRATCH / "output.npy"
    np.save(given, reference.inputs[0])
    got.unlink(missing_ok=True)
    if complaint := run("predict", "--model", converted, "--input", given, "--output", got):
        return f"{in_keras:.1e}", "–", f"not predicted: {complaint}"
    in_retune, within = reference.difference([np.load(got)])
    return f"{in_keras:.1e}", f"{in_retune:.1e}", EQUAL if within else "differs in retune"


def main() -> None:
    print("| model | written as | difference in Keras | difference in retune | verdict |")
    print("| --- | --- | --- | --- | --- |")
    rows, failed = 0, 0
    for argument in ARGUMENTS.models:
        for reference in references(argument):
            for suffix in (".keras", ".h5"):
                in_keras, in_retune, verdict = compare(reference, suffix)
                rows, failed = rows + 1, failed + (not verdict.startswith((EQUAL, KERAS_TOO)))
                print(f"| {reference.name} | `{suffix}` | {in_keras} | {in_retune} | {verdict} |", flush=True)
            keras.utils.clear_session()
    print(f"\n{rows - failed} of {rows} conversions are right")
    sys.exit(failed > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--retune", required=True, metavar="PROGRAM")
    parser.add_argument("--scratch", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("models", nargs="+", metavar="MODEL")
    ARGUMENTS = parser.parse_args()
    RETUNE, SCRATCH = ARGUMENTS.retune, ARGUMENTS.scratch
    SCRATCH.mkdir(parents=True, exist_ok=True)
    main()
