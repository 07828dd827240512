"""The update rules in the documentation of `torch.optim`, in 64 bits, with its argument names and defaults.

Each function takes a weight and its gradients, one per step, and returns the weight after each step.
"""

import inspect

import numpy as np


def defaults(function) -> dict:
    """The default arguments of one of the functions below."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}


def steps(weight, gradients):
    """Yields the step's number from 1, and the gradient, in 64 bits."""
    return enumerate(np.asarray(gradients, np.float64), start=1)


def sgd(weight, gradients, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False):
    w, buffer, after = np.float64(weight), None, []
    for _, g in steps(weight, gradients):
        g = g + weight_decay * w
        if momentum:
            buffer = g if buffer is None else momentum * buffer + (1 - dampening) * g
            g = g + momentum * buffer if nesterov else buffer
        w = w - lr * g
        after.append(w)
    return np.stack(after)


def adam(weight, gradients, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False, decoupled=False):
    w, after = np.float64(weight), []
    m, v, v_max = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for t, g in steps(weight, gradients):
        if decoupled:
            w = w - lr * weight_decay * w
        else:
            g = g + weight_decay * w
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        v_max = np.maximum(v_max, v)
        second = (v_max if amsgrad else v) / (1 - betas[1] ** t)
        w = w - lr * m / (1 - betas[0] ** t) / (np.sqrt(second) + eps)
        after.append(w)
    return np.stack(after)


def adamw(weight, gradients, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False):
    return adam(weight, gradients, lr, betas, eps, weight_decay, amsgrad, decoupled=True)


def rmsprop(weight, gradients, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False):
    w, after = np.float64(weight), []
    square, mean, buffer = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for _, g in steps(weight, gradients):
        g = g + weight_decay * w
        square = alpha * square + (1 - alpha) * g**2
        mean = alpha * mean + (1 - alpha) * g
        variance = square - mean**2 if centered else square
        buffer = momentum * buffer + g / (np.sqrt(variance) + eps)
        w = w - lr * buffer
        after.append(w)
    return np.stack(after)


def adagrad(weight, gradients, lr=1e-2, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, eps=1e-10):
    w, after = np.float64(weight), []
    total = np.full_like(w, initial_accumulator_value)
    for t, g in steps(weight, gradients):
        g = g + weight_decay * w
        total = total + g**2
        w = w - lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(total) + eps)
        after.append(w)
    return np.stack(after)
