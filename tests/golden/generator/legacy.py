"""Models trained for two steps by Keras 3, saved as `.h5`, `.weights.h5` and `.keras` with optimizer state."""

import dataclasses
from pathlib import Path

import numpy as np

from .backend import keras
from .case import Case
from .cases import all_cases
from .files import stored_arrays, write_json, write_keras, write_tensors
from .record import (
    as_list,
    build,
    check_against_float64,
    describe_weights,
    description,
    make_inputs,
    path_of,
    randomize,
    record,
)

# The case and the optimizer it is compiled with.
CHOSEN = {
    "dense_stack": lambda: keras.optimizers.Adam(0.01),
    "sequential_convolutional": lambda: keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
    "sequential_in_sequential": lambda: keras.optimizers.SGD(0.01),
    "functional_in_functional": lambda: keras.optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "functional_in_sequential": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "frozen_nested_batch_normalization": lambda: keras.optimizers.Adam(0.01, amsgrad=True),
    "shared_layer": lambda: keras.optimizers.Adagrad(0.01),
    "shared_model": lambda: keras.optimizers.Adam(0.01),
    "two_inputs_two_outputs": lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 50)),
    "xception_block": lambda: keras.optimizers.Adam(0.01),
    "text_classifier": lambda: keras.optimizers.Adam(0.01, clipnorm=1.0),
    "bidirectional_gru_concat": lambda: keras.optimizers.RMSprop(0.01),
    "normalization_adapted": lambda: None,
    "multi_head_attention_self": lambda: keras.optimizers.Adam(0.01),
}


FILES = ("model.h5", "model.weights.h5", "model.keras")


def describe_weights_in(model, folder: Path, files) -> list[dict]:
    """`describe_weights` with the place in each of `files`."""
    described = [describe_weights(model, folder / name) for name in files]
    return [
        entries[0] | {"file": {name: entry["file"] for name, entry in zip(files, entries)}}
        for entries in zip(*described, strict=True)
    ]


def write_cases(folder: Path, wanted: str) -> None:
    """Writes the chosen cases whose name contains `wanted`."""
    cases = {case.name: case for case in all_cases()}
    for name, optimizer in CHOSEN.items():
        if wanted in f"keras3_{name}":
            write_case(dataclasses.replace(cases[name], name=f"keras3_{name}"), optimizer, folder / f"keras3_{name}")


def write_case(case: Case, make_optimizer, folder: Path) -> None:
    """Writes the model in three formats and what it computes after the two steps of training."""
    folder.mkdir(parents=True, exist_ok=True)
    case.group = "keras_legacy"
    model = build(case, "float32")
    randomize(model, np.random.default_rng(case.seed))
    optimizer = make_optimizer()
    if optimizer is not None:
        train_two_steps(case, model, optimizer)
    model.save(folder / "model.h5")
    model.save_weights(folder / "model.weights.h5")
    write_keras(folder / "model.keras", model, case.compress)

    weights = describe_weights_in(model, folder, FILES)
    state, described = optimizer_state(optimizer.variables if optimizer else [], folder, FILES)
    initial = [np.array(weight) for weight in model.weights]
    tensors = record(case, model, weights)
    check_against_float64(case, initial, weights, tensors)
    write_tensors(folder / "case.safetensors", tensors | state)
    write_json(folder / "case.json", description(case, model, weights, tensors) | {"optimizer": described})


def train_two_steps(case: Case, model, optimizer) -> None:
    """Compiles with a mean squared error per output and takes two steps towards zero."""
    model.compile(optimizer=optimizer, loss=["mse"] * len(model.outputs), metrics=[["mae"]] * len(model.outputs))
    inputs = make_inputs(case, model)
    inputs = inputs if len(inputs) > 1 else inputs[0]
    targets = [np.zeros(output.shape, np.float32) for output in as_list(model(inputs))]
    for _ in range(2):
        model.train_on_batch(inputs, targets if len(targets) > 1 else targets[0])


def optimizer_state(variables, folder: Path, files) -> tuple[dict[str, np.ndarray], list[dict]]:
    """An optimizer's variables as `optimizer/<path>`, and where each of `files` keeps them (null: it does not)."""
    state, described = {}, []
    places = {name: [(p, a) for p, a in stored_arrays(folder / name) if p.startswith("optimizer")] for name in files}
    for variable in variables:
        value = np.array(variable)
        path = path_of(variable)
        if f"optimizer/{path}" in state:
            raise ValueError(f"two optimizer variables are called `{path}`")
        state[f"optimizer/{path}"] = value
        found = {}
        for name, stored in places.items():
            same = (i for i, (_, array) in enumerate(stored) if np.array_equal(array, value))
            place = next(same, None)
            found[name] = None if place is None else stored.pop(place)[0]
        described.append({"path": path, "shape": list(value.shape), "dtype": str(value.dtype), "file": found})
    return state, described
