"""Runs a case and collects what the tests compare: outputs, gradients, one optimizer step, statistics."""

from pathlib import Path

import numpy as np

from .backend import keras, tf
from .case import Case
from .files import stored_arrays, write_json, write_keras, write_tensors

LEARNING_RATE = 0.1


def write_case(case: Case, folder: Path) -> None:
    """Writes `model.keras`, `case.safetensors` and `case.json` of `case` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    model = build(case, "float32")
    randomize(model, np.random.default_rng(case.seed))
    write_keras(folder / "model.keras", model, case.compress)
    weights = describe_weights(model, folder / "model.keras")
    initial = [np.array(weight) for weight in model.weights]
    tensors = record(case, model, weights)
    if case.float64:
        check_against_float64(case, initial, weights, tensors)
    write_tensors(folder / "case.safetensors", tensors)
    write_json(folder / "case.json", description(case, model, weights, tensors))


def build(case: Case, precision: str):
    """Builds the model of `case` in `precision` with fresh layer names and Keras's own generators seeded."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(case.seed)
    keras.config.set_floatx(precision)
    keras.config.set_dtype_policy(precision)
    return case.build()


def randomize(model, rng: np.random.Generator) -> None:
    """Gives every weight random values, those that usually start as ones and zeros too; variances stay positive.

    What a `Normalization` layer was given or has learned from data is kept.
    """
    adapted = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.Normalization)]
    kept = {id(weight) for layer in adapted for weight in layer.weights}
    for weight in model.weights:
        if id(weight) in kept:
            continue
        name = path_of(weight).rsplit("/", 1)[-1].removesuffix(":0")
        if name in ("gamma", "scale"):
            values = rng.uniform(0.5, 1.5, weight.shape)
        elif name == "moving_variance":
            values = rng.uniform(0.5, 2.0, weight.shape)
        elif name in ("bias", "beta", "moving_mean"):
            values = rng.normal(0.0, 0.3, weight.shape)
        elif name == "alpha":
            values = rng.uniform(0.05, 0.5, weight.shape)
        else:
            values = rng.normal(0.0, 0.4, weight.shape)
        weight.assign(values.astype(np.float32))


def path_of(weight) -> str:
    """The path of a Keras 3 variable, the name of a Keras 2 one."""
    return getattr(weight, "path", None) or weight.name


def describe_weights(model, path: Path) -> list[dict]:
    """For each of `model.weights`: a unique key, Keras's path, where the file has it, shape, whether it is trained."""
    stored = stored_arrays(path)
    described, keys = [], set()
    for index, weight in enumerate(model.weights):
        path = path_of(weight)
        key, copy = path, 1
        while key in keys:
            copy += 1
            key = f"{path}#{copy}"
        keys.add(key)
        value = np.array(weight)
        place = next(i for i, (_, array) in enumerate(stored) if np.array_equal(array, value))
        described.append(
            {
                "key": key,
                "path": path,
                "file": stored.pop(place)[0],
                "index": index,
                "shape": list(weight.shape),
                "dtype": str(value.dtype),
                "trainable": any(weight is w for w in model.trainable_weights),
            }
        )
    return described


def make_inputs(case: Case, model) -> list[np.ndarray]:
    """The arrays fed to the model, in the order of `model.inputs`."""
    rng = np.random.default_rng([case.seed, 1])
    if case.inputs is not None:
        return case.inputs(rng, case.batch)
    return [(case.scale * rng.normal(size=(case.batch, *i.shape[1:]))).astype(np.float32) for i in model.inputs]


def as_list(value) -> list:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def sgd_step(gradients, variables) -> None:
    """One step of Keras 3's gradient descent."""
    keras.optimizers.SGD(LEARNING_RATE).apply([tf.constant(gradient) for gradient in gradients], variables)


def record(case: Case, model, weights: list[dict], step=sgd_step) -> dict[str, np.ndarray]:
    """Everything of the case as named arrays, in the precision of `model`."""
    arrays = make_inputs(case, model)
    tensors = {f"input/{i}": array for i, array in enumerate(arrays)}
    precision = keras.config.floatx()
    inputs = [tf.constant(a, precision if a.dtype == np.float32 else a.dtype) for a in arrays]
    call = inputs if len(inputs) > 1 else inputs[0]

    outputs = as_list(model(call, training=False))
    for j, output in enumerate(outputs):
        tensors[f"output/{j}"] = output.numpy()
    if not case.train:
        return tensors

    rng = np.random.default_rng([case.seed, 2])
    cotangents = [rng.normal(size=output.shape).astype(np.float32) for output in outputs]
    floats = [(i, tensor) for i, tensor in enumerate(inputs) if tensor.dtype.is_floating]
    trainable = [(w["key"], model.weights[w["index"]]) for w in weights if w["trainable"]]
    with tf.GradientTape() as tape:
        tape.watch([tensor for _, tensor in floats])
        outputs = as_list(model(call, training=True))
        loss = tf.add_n([tf.reduce_sum(o * tf.cast(c, o.dtype)) for o, c in zip(outputs, cotangents)])
    input_gradients, gradients = tape.gradient(
        loss, ([tensor for _, tensor in floats], [variable_of(weight) for _, weight in trainable])
    )
    for j, (output, cotangent) in enumerate(zip(outputs, cotangents)):
        tensors[f"train_output/{j}"] = output.numpy()
        tensors[f"cotangent/{j}"] = cotangent
    for (i, tensor), gradient in zip(floats, input_gradients):
        tensors[f"grad_input/{i}"] = dense(gradient, tensor)
    gradients = [dense(gradient, weight) for gradient, (_, weight) in zip(gradients, trainable)]
    for (key, _), gradient in zip(trainable, gradients):
        tensors[f"grad/{key}"] = gradient
    for weight in weights:
        if not weight["trainable"]:
            tensors[f"statistic/{weight['key']}"] = np.array(model.weights[weight["index"]])
    if trainable:
        variables = [weight for _, weight in trainable]
        step(gradients, variables)
        for key, weight in trainable:
            tensors[f"after/{key}"] = np.array(weight)
    return tensors


def variable_of(weight):
    """The TensorFlow variable behind a weight: a Keras 3 variable holds one, a Keras 2 weight is one."""
    return weight if isinstance(weight, tf.Variable) else weight.value


def dense(gradient, like) -> np.ndarray:
    """A gradient as an array: sparse ones of embeddings are summed up, absent ones are zeros."""
    if gradient is None:
        return np.zeros(like.shape, keras.config.floatx())
    return tf.convert_to_tensor(gradient).numpy()


def tolerance(case: Case, name: str) -> tuple[float, float]:
    """`(rtol, atol)` that the tensor `name` is compared with."""
    if name.startswith(("grad/", "grad_input/", "after/")):
        return case.grad_rtol, case.grad_atol
    return case.rtol, case.atol


def check_against_float64(case: Case, initial, weights, tensors) -> None:
    """Computes the case in 64 bits too: the tolerances must leave room for honest rounding, and only for that."""
    model = build(case, "float64")
    for weight, value in zip(model.weights, initial, strict=True):
        weight.assign(value)
    exact = record(case, model, weights)
    for name, value in tensors.items():
        rtol, atol = tolerance(case, name)
        error = np.abs(value.astype(np.float64) - exact[name])
        used = float(np.max(error / (atol + rtol * np.abs(exact[name])), initial=0.0))
        if not used <= 0.5:
            raise ValueError(f"case `{case.name}`: `{name}` takes {used:.2f} of its tolerance in 32 bits already")


def description(case: Case, model, weights, tensors) -> dict:
    """What `case.json` says."""
    names = [tensor._keras_history[0].name for tensor in model.inputs]
    listed = lambda prefix: [  # noqa: E731
        {"shape": list(tensors[key].shape), "dtype": str(tensors[key].dtype)}
        for key in sorted((k for k in tensors if k.startswith(prefix)), key=lambda k: int(k.rsplit("/", 1)[1]))
    ]
    return {
        "case": case.name,
        "group": case.group,
        "notes": case.notes,
        "keras_version": keras.__version__,
        "tensorflow_version": tf.__version__,
        "seed": case.seed,
        "inputs": [{"name": name} | entry for name, entry in zip(names, listed("input/"), strict=True)],
        "outputs": listed("output/"),
        "weights": weights,
        "train": case.train,
        "sgd_learning_rate": LEARNING_RATE,
        "tolerance": {
            "output": {"rtol": case.rtol, "atol": case.atol},
            "grad": {"rtol": case.grad_rtol, "atol": case.grad_atol},
        },
    }
