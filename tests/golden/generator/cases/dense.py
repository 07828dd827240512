"""Dense: every activation by name, without a bias, on more than two axes, with regularizers and constraints."""

from ..backend import keras
from ..case import Case, layer_case, sequential

L = keras.layers

# Every name that Keras resolves to a function of one argument; `threshold` needs two more and `glu` halves its input.
ACTIVATIONS = [
    "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "swish", "sigmoid", "tanh",
    "softplus", "softsign", "exponential", "hard_sigmoid", "hard_silu", "hard_swish", "log_sigmoid", "log_softmax",
    "softmax", "mish", "hard_tanh", "hard_shrink", "soft_shrink", "tanh_shrink", "squareplus",
    "sparse_plus", "sparse_sigmoid", "sparsemax",
]  # fmt: skip


@keras.saving.register_keras_serializable(package="keras_hub")
def gelu_approximate(x):
    """The tanh form of GELU under the name that KerasHub's models write into their files."""
    return keras.activations.gelu(x, approximate=True)


def cases():
    def dense(name, shape=(5,), **options):
        case_options = {key: options.pop(key) for key in ("notes", "batch") if key in options}
        return layer_case(name, shape, lambda: L.Dense(4, **options), **case_options)

    yield from (dense(f"dense_{name}", activation=name, batch=6) for name in ACTIVATIONS)
    yield dense(
        "dense_gelu_approximate",
        activation=gelu_approximate,
        batch=6,
        notes="Keras has no serializable name of its own for the tanh form; this is the one KerasHub registers",
    )
    yield dense("dense_without_bias", use_bias=False)
    yield dense("dense_on_3d", shape=(4, 5), activation="tanh")
    yield dense("dense_on_4d", shape=(2, 3, 5))
    yield dense("dense_softmax_on_3d", shape=(4, 5), activation="softmax")
    yield dense(
        "dense_regularized",
        kernel_regularizer=keras.regularizers.L2(0.01),
        bias_regularizer=keras.regularizers.L1(0.02),
        activity_regularizer=keras.regularizers.L1L2(0.01, 0.02),
        notes="regularizers stand in the file; the recorded loss and gradients leave them out",
    )
    yield dense(
        "dense_constrained",
        kernel_constraint=keras.constraints.NonNeg(),
        bias_constraint=keras.constraints.MaxNorm(0.5),
        notes="after the step come the constraints: kernel = max(kernel, 0), bias scaled to a norm of at most 0.5",
    )
    yield Case(
        "dense_stack",
        lambda: sequential((5,), L.Dense(6, activation="relu"), L.Dense(4, activation="tanh"), L.Dense(3)),
        compress=False,
    )
