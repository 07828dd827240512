"""Holds PyTorch's own optimizers against the algorithms in `../train/optimizers.safetensors`. Writes nothing; fails where
a weight differs by more than the tolerance of these cases."""

import ast
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file

FOLDER = Path(__file__).resolve().parents[1]
CLASSES = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "adagrad": "Adagrad"}


def cases():
    """The table `TORCH` of the generator, which cannot be imported here: it needs Keras."""
    tree = ast.parse((FOLDER / "generator/train/optimizers.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "TORCH":
            return ast.literal_eval(node.value)
    raise LookupError("no table `TORCH`")


def main():
    tensors = load_file(FOLDER / "train/optimizers.safetensors")
    names = [name.split("/")[1] for name in tensors if name.startswith("initial/")]
    worst = 0.0
    for case, (kind, arguments) in cases().items():
        weights = {name: torch.nn.Parameter(torch.tensor(tensors[f"initial/{name}"].copy())) for name in names}
        optimizer = getattr(torch.optim, CLASSES[kind])(list(weights.values()), **arguments)
        expected = {name: tensors[f"pytorch/{case}/{name}"] for name in names}
        for step in range(len(next(iter(expected.values())))):
            for name, weight in weights.items():
                weight.grad = torch.tensor(tensors[f"gradient/{name}"][step].copy())
            optimizer.step()
            for name, weight in weights.items():
                wanted = expected[name][step]
                error = np.abs(weight.detach().numpy() - wanted) / (1e-6 + 1e-5 * np.abs(wanted))
                worst = max(worst, float(error.max()))
    print(f"optimizers of PyTorch {torch.__version__}: the largest difference is {worst:.3f} of the tolerance")
    if worst > 1.0:
        sys.exit("PyTorch's optimizers differ from the golden file")


main()
