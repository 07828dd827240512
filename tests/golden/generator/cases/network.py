"""Whole networks in small: nested models, shared layers, several inputs and outputs, residuals, frozen parts."""

from ..backend import keras
from ..case import Case, functional, sequential, token_ids
from .normalization import frozen

L = keras.layers


def cases():
    yield Case("sequential_convolutional", sequential_convolutional, batch=4, compress=False)
    yield Case("sequential_in_sequential", sequential_in_sequential, compress=False)
    yield Case("sequential_without_input_layer", without_input_layer, notes="built by its first call")
    yield Case("functional_in_functional", functional_in_functional)
    yield Case("functional_in_sequential", functional_in_sequential, batch=4)
    yield Case("nested_three_deep", nested_three_deep)
    yield Case("nested_model_with_two_outputs", nested_model_with_two_outputs)
    yield Case("shared_layer", shared_layer, compress=False)
    yield Case("shared_model", shared_model)
    yield Case("two_inputs_two_outputs", two_inputs_two_outputs, compress=False)
    yield Case("named_inputs", named_inputs, notes="the names of the inputs are not in alphabetical order")
    yield Case("output_of_inner_layer", output_of_inner_layer)
    yield Case("input_as_output", input_as_output)
    yield Case("mobilenet_block", mobilenet_block, batch=4)
    yield Case("xception_block", xception_block, batch=4)
    yield Case("squeeze_and_excitation", squeeze_and_excitation)
    yield Case("text_classifier", text_classifier, inputs=token_ids(6, 9))
    yield Case("convolutional_text_classifier", convolutional_text_classifier, inputs=token_ids(6, 9))
    yield Case("tokens_and_numbers", tokens_and_numbers, inputs=ids_and_numbers)
    yield Case("frozen_dense", lambda: sequential((4,), frozen(L.Dense(5, activation="relu")), L.Dense(2)))
    yield Case("frozen_nested_batch_normalization", frozen_nested, batch=4)
    yield Case("frozen_outer_layers", frozen_outer_layers, batch=4)
    yield Case("frozen_all", frozen_all, batch=4)
    yield Case("regularized", regularized, notes="regularizers stand in the file; the recorded loss leaves them out")
    yield Case("dtype_policy", dtype_policy, notes="one layer has a dtype policy object of its own")


def sequential_convolutional():
    return sequential(
        (8, 8, 2),
        L.Conv2D(3, 3, padding="same", activation="relu"),
        L.BatchNormalization(),
        L.MaxPooling2D(),
        L.Dropout(0.0),
        L.Conv2D(4, 3, activation="relu"),
        L.Flatten(),
        L.Dense(3, activation="softmax"),
    )


def sequential_in_sequential():
    inner = keras.Sequential([keras.Input((4,)), L.Dense(5, activation="relu", name="hidden")], name="inner")
    return keras.Sequential([keras.Input((4,)), inner, L.Dense(2, name="head")], name="outer")


def without_input_layer():
    model = keras.Sequential([L.Dense(3, activation="relu"), L.Dense(2)])
    model.build((None, 4))
    return model


def functional_in_functional():
    inner = functional([(4,)], lambda x: L.Add()([x, L.Dense(4, activation="tanh")(x)]))
    return functional([(4,)], lambda x: L.Dense(2)(inner(L.Dense(4)(x))))


def functional_in_sequential():
    backbone = functional(
        [(5, 5, 2)],
        lambda x: L.GlobalAveragePooling2D()(L.ReLU()(L.BatchNormalization()(L.Conv2D(3, 3, use_bias=False)(x)))),
    )
    return sequential((5, 5, 2), backbone, L.Dense(2))


def nested_three_deep():
    innermost = sequential((4,), L.Dense(4, activation="relu"))
    middle = sequential((4,), innermost, L.Dense(3))
    return sequential((4,), L.Dense(4), middle, L.Dense(2))


def nested_model_with_two_outputs():
    def split(x):
        hidden = L.Dense(4, activation="relu")(x)
        return [L.Dense(2)(hidden), L.Dense(3)(hidden)]

    inner = functional([(4,)], split)

    def connect(x):
        first, second = inner(x)
        return L.Concatenate()([second, first])

    return functional([(4,)], connect)


def shared_layer():
    tower = L.Dense(3, activation="tanh")
    return functional([(4,), (4,)], lambda a, b: L.Subtract()([tower(a), tower(b)]))


def shared_model():
    tower = sequential((4,), L.Dense(5, activation="relu"), L.BatchNormalization(), L.Dense(3))
    return functional([(4,), (4,)], lambda a, b: L.Dot(axes=1, normalize=True)([tower(a), tower(b)]))


def two_inputs_two_outputs():
    def connect(a, b):
        joined = L.Concatenate()([L.Dense(3, activation="relu")(a), b])
        return [L.Dense(2, name="first")(joined), L.Dense(1, activation="sigmoid", name="second")(joined)]

    return functional([(4,), (2,)], connect)


def named_inputs():
    left, right = keras.Input((3,), name="z_left"), keras.Input((2,), name="a_right")
    joined = L.Concatenate()([left, L.Dense(3)(right)])
    return keras.Model([left, right], L.Dense(2)(joined), name="named")


def output_of_inner_layer():
    def connect(x):
        hidden = L.Dense(4, activation="relu")(x)
        return [hidden, L.Dense(2)(hidden)]

    return functional([(3,)], connect)


def input_as_output():
    return functional([(3,)], lambda x: [x, L.Dense(2)(x)])


def mobilenet_block():
    def connect(x):
        y = L.Conv2D(6, 1, use_bias=False)(x)
        y = L.ReLU(6.0)(L.BatchNormalization(momentum=0.999, epsilon=1e-3)(y))
        y = L.DepthwiseConv2D(3, padding="same", use_bias=False)(y)
        y = L.ReLU(6.0)(L.BatchNormalization(momentum=0.999, epsilon=1e-3)(y))
        y = L.BatchNormalization(momentum=0.999, epsilon=1e-3)(L.Conv2D(2, 1, use_bias=False)(y))
        return L.Add()([x, y])

    return functional([(5, 4, 2)], connect)


def xception_block():
    def connect(x):
        residual = L.BatchNormalization()(L.Conv2D(4, 1, strides=2, padding="same", use_bias=False)(x))
        y = L.SeparableConv2D(4, 3, padding="same", use_bias=False)(x)
        y = L.Activation("relu")(L.BatchNormalization()(y))
        y = L.SeparableConv2D(4, 3, padding="same", use_bias=False)(y)
        y = L.MaxPooling2D(3, strides=2, padding="same")(L.BatchNormalization()(y))
        return L.Add()([y, residual])

    return functional([(6, 5, 2)], connect)


def squeeze_and_excitation():
    def connect(x):
        weights = L.GlobalAveragePooling2D(keepdims=True)(x)
        weights = L.Conv2D(2, 1, activation="silu")(weights)
        weights = L.Conv2D(4, 1, activation="sigmoid")(weights)
        return L.Multiply()([x, weights])

    return functional([(4, 3, 4)], connect)


def text_classifier():
    return sequential(
        (6,),
        L.Embedding(9, 4, mask_zero=True),
        L.SpatialDropout1D(0.0),
        L.Bidirectional(L.LSTM(3, return_sequences=True)),
        L.GRU(3),
        L.Dense(2, activation="softmax"),
        dtype="int32",
    )


def convolutional_text_classifier():
    ids = keras.Input((6,), dtype="int32")
    x = L.Embedding(9, 4)(ids)
    features = [L.GlobalMaxPooling1D()(L.Conv1D(3, width, activation="relu")(x)) for width in (2, 3)]
    return keras.Model(ids, L.Dense(2)(L.Concatenate()(features)))


def tokens_and_numbers():
    ids, numbers = keras.Input((5,), dtype="int32"), keras.Input((3,))
    text = L.GlobalAveragePooling1D()(L.Embedding(7, 4, mask_zero=True)(ids))
    return keras.Model([ids, numbers], L.Dense(2)(L.Concatenate()([text, L.Dense(3)(numbers)])))


def ids_and_numbers(rng, batch):
    return [*token_ids(5, 7)(rng, batch), rng.normal(size=(batch, 3)).astype("float32")]


def frozen_nested():
    backbone = sequential((4, 4, 2), L.Conv2D(3, 3), L.BatchNormalization(), L.ReLU())
    return sequential((4, 4, 2), frozen(backbone), L.GlobalAveragePooling2D(), L.Dense(2))


def frozen_outer_layers():
    model = functional_in_sequential()
    backbone = model.layers[0]
    backbone.layers[1].trainable = False
    return model


def frozen_all():
    model = sequential((4, 4, 2), L.Conv2D(3, 3), L.BatchNormalization())
    model.trainable = False
    return model


def regularized():
    l2 = keras.regularizers.L2(1e-3)
    return sequential(
        (5, 5, 2),
        L.Conv2D(3, 3, kernel_regularizer=l2, activation="relu"),
        L.Flatten(),
        L.Dense(2, kernel_regularizer=l2, bias_regularizer=keras.regularizers.L1(1e-4)),
    )


def dtype_policy():
    policy = keras.dtype_policies.DTypePolicy(keras.config.floatx())
    return sequential((4,), L.Dense(3, dtype=policy, activation="relu"), L.Dense(2))
