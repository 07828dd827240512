"""Models built, trained for two steps and saved by Keras 2 (the package `tf_keras`): `.h5`, weights alone, `.keras`."""

from pathlib import Path

import numpy as np
import tf_keras

from .backend import keras, tf
from .case import Case, token_ids
from .files import write_json, write_keras, write_tensors
from .legacy import describe_weights_in, optimizer_state, train_two_steps
from .record import LEARNING_RATE, description, randomize, record

L = tf_keras.layers


FILES = ("model.h5", "weights.h5", "model.keras")


def write_cases(folder: Path, wanted: str) -> None:
    """Writes the cases whose name contains `wanted`."""
    keras.config.set_floatx("float32")
    for case, optimizer in cases():
        if wanted in case.name:
            write_case(case, optimizer, folder / case.name)


def cases():
    """Pairs of a case and the optimizer it is compiled with."""
    optimizers = tf_keras.optimizers
    yield Case("keras2_dense", dense), optimizers.SGD(0.01, momentum=0.9)
    yield Case("keras2_sequential_convolutional", sequential_convolutional, batch=4), optimizers.Adam(0.01)
    yield Case("keras2_residual_separable", residual_separable, batch=4), optimizers.legacy.Adam(0.01)
    yield Case("keras2_bidirectional_lstm", bidirectional(L.LSTM), inputs=token_ids(5, 7)), optimizers.RMSprop(0.01)
    yield Case("keras2_bidirectional_gru", bidirectional(L.GRU), inputs=token_ids(5, 7)), optimizers.Adam(0.01)
    yield Case("keras2_recurrent_stack", recurrent_stack), optimizers.Adagrad(0.01)
    yield Case("keras2_nested", nested, batch=4), optimizers.Adam(0.01)
    yield Case("keras2_nested_twice", nested_twice), optimizers.legacy.SGD(0.01, momentum=0.9)
    yield Case("keras2_shared", shared), optimizers.Adam(0.01)
    yield Case("keras2_frozen", frozen, batch=4), optimizers.Adam(0.01)
    yield Case("keras2_activations", activations), optimizers.Adam(0.01)


def dense():
    return tf_keras.Sequential([L.Dense(5, activation="relu", input_shape=(4,)), L.Dropout(0.0), L.Dense(2)])


def sequential_convolutional():
    return tf_keras.Sequential(
        [
            L.Conv2D(3, 3, padding="same", activation="relu", input_shape=(8, 8, 2)),
            L.BatchNormalization(),
            L.MaxPooling2D((2, 2)),
            L.Dropout(0.0),
            L.Conv2D(4, 3, activation="relu"),
            L.BatchNormalization(),
            L.Flatten(),
            L.Dense(3, activation="softmax"),
        ]
    )


def residual_separable():
    x = inputs = tf_keras.Input((6, 5, 2))
    residual = L.BatchNormalization()(L.Conv2D(4, 1, strides=2, padding="same", use_bias=False)(x))
    for _ in range(2):
        x = L.SeparableConv2D(4, 3, padding="same", use_bias=False)(x)
        x = L.Activation("relu")(L.BatchNormalization()(x))
    x = L.MaxPooling2D(3, strides=2, padding="same")(x)
    x = L.GlobalAveragePooling2D()(L.add([x, residual]))
    return tf_keras.Model(inputs, L.Activation("softmax", name="predictions")(x))


def bidirectional(layer):
    def make():
        return tf_keras.Sequential(
            [
                L.Embedding(7, 3, mask_zero=True, input_length=5),
                L.Bidirectional(layer(3, return_sequences=True)),
                L.Bidirectional(layer(2), merge_mode="sum"),
                L.Dense(2),
            ]
        )

    return make


def recurrent_stack():
    return tf_keras.Sequential(
        [
            L.LSTM(4, return_sequences=True, recurrent_activation="hard_sigmoid", input_shape=(5, 3)),
            L.GRU(3, reset_after=False, return_sequences=True),
            L.TimeDistributed(L.Dense(3, activation="tanh")),
            L.SimpleRNN(2),
        ]
    )


def backbone():
    image = tf_keras.Input((5, 5, 2))
    x = L.ReLU(6.0)(L.BatchNormalization()(L.Conv2D(3, 3, use_bias=False)(image)))
    return tf_keras.Model(image, L.GlobalAveragePooling2D()(x), name="backbone")


def nested():
    return tf_keras.Sequential([backbone(), L.Dense(4, activation="relu"), L.Dense(2)])


def nested_twice():
    inner = tf_keras.Sequential([L.Dense(4, activation="relu", input_shape=(4,))], name="inner")
    middle = tf_keras.Sequential([inner, L.Dense(3)], name="middle")
    inputs = tf_keras.Input((4,))
    return tf_keras.Model(inputs, L.Dense(2)(middle(L.Dense(4)(inputs))))


def shared():
    tower = tf_keras.Sequential([L.Dense(5, activation="relu", input_shape=(4,)), L.Dense(3)], name="tower")
    left, right = tf_keras.Input((4,)), tf_keras.Input((4,))
    return tf_keras.Model([left, right], L.concatenate([tower(left), tower(right)]))


def frozen():
    base = backbone()
    base.trainable = False
    return tf_keras.Sequential([base, L.Dense(2)])


def activations():
    return tf_keras.Sequential(
        [
            L.Dense(4, input_shape=(4,)),
            L.LeakyReLU(alpha=0.2),
            L.Dense(4, activation="hard_sigmoid"),
            L.PReLU(),
            L.Dense(4),
            L.ReLU(max_value=6.0, negative_slope=0.1),
            L.ELU(alpha=0.5),
            L.Dense(4, activation="swish"),
        ]
    )


def write_case(case: Case, optimizer, folder: Path) -> None:
    """Writes the model as `model.h5`, `weights.h5` (no configuration) and `model.keras`, and what it computes."""
    folder.mkdir(parents=True, exist_ok=True)
    case.group = "keras_legacy"
    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(case.seed)
    model = case.build()
    randomize(model, np.random.default_rng(case.seed))
    train_two_steps(case, model, optimizer)
    model.save(folder / "model.h5")
    model.save_weights(folder / "weights.h5", save_format="h5")
    write_keras(folder / "model.keras", model, case.compress)

    weights = describe_weights_in(model, folder, FILES)
    state, described = optimizer_state(optimizer.variables(), folder, FILES)
    tensors = record(case, model, weights, sgd_step)
    about = description(case, model, weights, tensors)
    about["keras_version"] = tf_keras.__version__
    about["optimizer"] = described
    write_tensors(folder / "case.safetensors", tensors | state)
    write_json(folder / "case.json", about)


def sgd_step(gradients, variables) -> None:
    """One step of Keras 2's gradient descent."""
    optimizer = tf_keras.optimizers.SGD(LEARNING_RATE)
    optimizer.apply_gradients(zip([tf.constant(gradient) for gradient in gradients], variables))
