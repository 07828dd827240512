"""Five steps of every optimizer on given gradients: by Keras, and by the algorithm that PyTorch documents."""

import numpy as np

from ..backend import keras, tf
from . import torch_algorithms

STEPS = 5
SHAPES = {"kernel": (3, 4), "bias": (4,)}
EXCLUDED = ["bias"]

# name: (Keras's class, its arguments)
KERAS = {
    "sgd": ("SGD", {"learning_rate": 0.1}),
    "sgd_momentum": ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    "sgd_nesterov": ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    "sgd_weight_decay": ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
    "adam": ("Adam", {}),
    "adam_fast": ("Adam", {"learning_rate": 0.05, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3}),
    "adam_amsgrad": ("Adam", {"learning_rate": 0.05, "beta_2": 0.9, "amsgrad": True}),
    "adamw": ("AdamW", {}),
    "adamw_decay": ("AdamW", {"learning_rate": 0.05, "weight_decay": 0.1}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop_momentum": ("RMSprop", {"learning_rate": 0.01, "momentum": 0.9}),
    "rmsprop_centered": ("RMSprop", {"learning_rate": 0.01, "centered": True}),
    "rmsprop_momentum_centered": ("RMSprop", {"learning_rate": 0.01, "momentum": 0.9, "centered": True, "rho": 0.8}),
    "adagrad": ("Adagrad", {"learning_rate": 0.1}),
    "adagrad_from_zero": ("Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.0}),
    "sgd_clip_value": ("SGD", {"learning_rate": 0.1, "clipvalue": 0.5}),
    "sgd_clip_norm": ("SGD", {"learning_rate": 0.1, "clipnorm": 1.0}),
    "sgd_global_clip_norm": ("SGD", {"learning_rate": 0.1, "global_clipnorm": 1.0}),
    "adam_accumulation": ("Adam", {"learning_rate": 0.05, "gradient_accumulation_steps": 2}),
    "sgd_exponential_decay": ("SGD", {"learning_rate": ("ExponentialDecay", 0.1, 2, 0.5)}),
}

# name: (function of `torch_algorithms`, arguments)
TORCH = {
    "sgd": ("sgd", {"lr": 0.1}),
    "sgd_momentum": ("sgd", {"lr": 0.1, "momentum": 0.9}),
    "sgd_nesterov": ("sgd", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "sgd_l2": ("sgd", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
    "adam": ("adam", {}),
    "adam_fast": ("adam", {"lr": 0.05, "betas": (0.8, 0.99), "eps": 1e-3}),
    "adam_amsgrad": ("adam", {"lr": 0.05, "betas": (0.9, 0.9), "amsgrad": True}),
    "adam_l2": ("adam", {"lr": 0.05, "weight_decay": 0.1}),
    "adamw": ("adamw", {}),
    "adamw_decay": ("adamw", {"lr": 0.05, "weight_decay": 0.1}),
    "rmsprop": ("rmsprop", {}),
    "rmsprop_momentum": ("rmsprop", {"lr": 0.01, "momentum": 0.9}),
    "rmsprop_centered": ("rmsprop", {"lr": 0.01, "centered": True}),
    "rmsprop_momentum_centered": ("rmsprop", {"lr": 0.01, "momentum": 0.9, "centered": True, "alpha": 0.8}),
    "adagrad": ("adagrad", {"lr": 0.1}),
    "adagrad_lr_decay": ("adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.1}),
}


def collect():
    """Tensors: `initial/<w>`, `gradient/<w>` (step first), `<framework>/<case>/<w>` after each step (step first)."""
    rng = np.random.default_rng(31)
    initial = {name: rng.normal(0, 1, shape).astype(np.float32) for name, shape in SHAPES.items()}
    gradients = {name: rng.normal(0, 1, (STEPS, *shape)).astype(np.float32) for name, shape in SHAPES.items()}
    gradients["kernel"][:, 0, 0] = 0.0  # never any gradient
    gradients["kernel"][:, 0, 1] *= 1e-6  # where epsilon matters
    gradients["kernel"][:, 0, 2] *= 1e3
    tensors = {f"initial/{name}": value for name, value in initial.items()}
    tensors |= {f"gradient/{name}": value for name, value in gradients.items()}
    cases = []
    for name, (kind, arguments) in KERAS.items():
        optimizer = make(kind, arguments)
        variables = {w: keras.Variable(value, name=w) for w, value in initial.items()}
        if kind == "AdamW" and "weight_decay" in arguments:
            optimizer.exclude_from_weight_decay(var_names=EXCLUDED)
            excluded = EXCLUDED
        else:
            excluded = []
        after = {w: [] for w in variables}
        for step in range(STEPS):
            optimizer.apply([tf.constant(gradients[w][step]) for w in variables], list(variables.values()))
            for w, variable in variables.items():
                after[w].append(np.array(variable))
        for w, values in after.items():
            tensors[f"keras/{name}/{w}"] = np.stack(values)
        config = keras.optimizers.serialize(optimizer)["config"]
        cases.append(
            {"case": name, "framework": "keras", "optimizer": kind, "config": config, "excluded_from_decay": excluded}
        )
    for name, (kind, arguments) in TORCH.items():
        function = getattr(torch_algorithms, kind)
        for w in initial:
            tensors[f"pytorch/{name}/{w}"] = function(initial[w], gradients[w], **arguments).astype(np.float32)
        config = torch_algorithms.defaults(function) | arguments
        cases.append({"case": name, "framework": "pytorch", "optimizer": kind, "config": config})
    return tensors, {
        "source": {
            "keras": f"keras {keras.__version__}",
            "pytorch": "the algorithms in PyTorch's documentation, computed in 64 bits; train_torch/ holds them against PyTorch itself",
        },
        "tolerance": {"rtol": 1e-5, "atol": 1e-6},
        "cases": cases,
    }


def make(kind, arguments):
    """The Keras optimizer; a tuple as learning rate names a schedule and its arguments."""
    arguments = dict(arguments)
    rate = arguments.get("learning_rate")
    if isinstance(rate, tuple):
        arguments["learning_rate"] = getattr(keras.optimizers.schedules, rate[0])(*rate[1:])
    return getattr(keras.optimizers, kind)(**arguments)
