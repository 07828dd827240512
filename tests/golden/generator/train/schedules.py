"""Keras's learning rate schedules at steps 0 to 50."""

import numpy as np

from ..backend import keras

STEPS = 51
SCHEDULES = {
    "exponential": ("ExponentialDecay", dict(initial_learning_rate=0.1, decay_steps=10, decay_rate=0.5)),
    "exponential_staircase": (
        "ExponentialDecay",
        dict(initial_learning_rate=0.1, decay_steps=10, decay_rate=0.5, staircase=True),
    ),
    "inverse_time": ("InverseTimeDecay", dict(initial_learning_rate=0.1, decay_steps=10, decay_rate=0.5)),
    "cosine": ("CosineDecay", dict(initial_learning_rate=0.1, decay_steps=40)),
    "cosine_alpha": ("CosineDecay", dict(initial_learning_rate=0.1, decay_steps=40, alpha=0.1)),
    "cosine_warmup": (
        "CosineDecay",
        dict(initial_learning_rate=0.0, decay_steps=30, warmup_target=0.1, warmup_steps=10),
    ),
    "cosine_warmup_alpha": (
        "CosineDecay",
        dict(initial_learning_rate=0.01, decay_steps=30, alpha=0.05, warmup_target=0.1, warmup_steps=10),
    ),
    "cosine_restarts": ("CosineDecayRestarts", dict(initial_learning_rate=0.1, first_decay_steps=10)),
    "linear": ("PolynomialDecay", dict(initial_learning_rate=0.1, decay_steps=40, end_learning_rate=0.0)),
    "polynomial": (
        "PolynomialDecay",
        dict(initial_learning_rate=0.1, decay_steps=40, end_learning_rate=0.01, power=2.0),
    ),
    "polynomial_cycle": (
        "PolynomialDecay",
        dict(initial_learning_rate=0.1, decay_steps=20, end_learning_rate=0.01, power=1.0, cycle=True),
    ),
    "piecewise_constant": ("PiecewiseConstantDecay", dict(boundaries=[10, 30], values=[0.1, 0.01, 0.001])),
}


def collect():
    """Tensors: `<case>`, the learning rate at each step."""
    tensors, cases = {}, []
    for name, (kind, config) in SCHEDULES.items():
        schedule = getattr(keras.optimizers.schedules, kind)(**config)
        tensors[name] = np.array([float(schedule(step)) for step in range(STEPS)], np.float32)
        cases.append({"case": name, "schedule": kind, "config": config})
    return tensors, {"source": f"keras {keras.__version__}", "tolerance": {"rtol": 1e-5, "atol": 1e-8}, "cases": cases}
