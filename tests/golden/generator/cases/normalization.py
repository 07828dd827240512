"""Normalization over the batch, over features, over groups of channels, and to unit length."""

from ..backend import keras
from ..case import Case, functional, layer_case, sequential

L = keras.layers


def frozen(layer):
    """`layer` with `trainable=False`: a BatchNormalization then runs on its moving statistics in training too."""
    layer.trainable = False
    return layer


def cases():
    yield from batch()
    yield from feature()
    yield from group()
    yield from unit()


def batch():
    image = (4, 3, 5)

    def norm(name, shape=image, **options):
        return layer_case(f"batch_normalization_{name}", shape, lambda: L.BatchNormalization(**options), batch=4)

    yield norm("4d")
    yield norm("2d", shape=(5,))
    yield norm("3d", shape=(4, 5))
    yield norm("momentum_0_9", momentum=0.9)
    yield norm("momentum_0_epsilon_0_1", momentum=0.0, epsilon=0.1)
    yield norm("without_scale", scale=False)
    yield norm("without_center", center=False)
    yield norm("without_scale_and_center", scale=False, center=False)
    yield norm("axis_1", axis=1)
    yield layer_case("batch_normalization_frozen", image, lambda: frozen(L.BatchNormalization()), batch=4)
    yield Case(
        "batch_normalization_masked",
        lambda: sequential((5, 3), L.Masking(), L.BatchNormalization()),
        inputs=masked_rows,
        notes="masked steps count neither in the mean nor in the variance",
    )
    yield Case(
        "batch_normalization_after_conv2d",
        lambda: sequential((5, 5, 2), L.Conv2D(4, 3, use_bias=False), L.BatchNormalization(), L.ReLU()),
        batch=4,
    )
    yield Case(
        "batch_normalization_shared",
        shared_batch_normalization,
        batch=4,
        notes="one layer, two inputs: the moving statistics are updated twice, in the order of the calls",
    )


def shared_batch_normalization():
    norm = L.BatchNormalization(momentum=0.8)
    return functional([(4,), (4,)], lambda a, b: L.Concatenate()([norm(a), norm(b)]))


def masked_rows(rng, batch):
    """Sequences `[batch, 5, 3]` whose last steps are zero in all rows but the first."""
    x = rng.normal(size=(batch, 5, 3)).astype("float32")
    for row in range(1, batch):
        x[row, 5 - row :] = 0
    return [x]


def feature():
    def norm(name, shape=(4, 6), **options):
        return layer_case(f"layer_normalization_{name}", shape, lambda: L.LayerNormalization(**options))

    yield norm("last_axis")
    yield norm("2d", shape=(6,))
    yield norm("two_axes", axis=[-2, -1])
    yield norm("axis_1", axis=1)
    yield norm("4d_axes", shape=(3, 4, 2), axis=[1, 2, 3])
    yield norm("epsilon_1e_5", epsilon=1e-5)
    yield norm("without_scale", scale=False)
    yield norm("without_center", center=False)
    yield norm("without_scale_and_center", scale=False, center=False)
    yield norm("rms_scaling", rms_scaling=True)
    yield layer_case("rms_normalization", (4, 6), lambda: L.RMSNormalization())


def group():
    def norm(name, shape=(4, 3, 6), **options):
        return layer_case(f"group_normalization_{name}", shape, lambda: L.GroupNormalization(**options))

    yield norm("groups_1", groups=1)
    yield norm("groups_2", groups=2)
    yield norm("groups_as_channels", groups=-1)
    yield norm("groups_3_without_scale_and_center", groups=3, scale=False, center=False)
    yield norm("3d", shape=(5, 4), groups=2, epsilon=1e-5)
    yield norm("2d", shape=(6,), groups=2)


def unit():
    yield layer_case("unit_normalization", (6,), lambda: L.UnitNormalization())
    yield layer_case("unit_normalization_axis_1", (4, 3), lambda: L.UnitNormalization(axis=1))
    yield layer_case("unit_normalization_two_axes", (4, 3, 2), lambda: L.UnitNormalization(axis=[1, 2]))
