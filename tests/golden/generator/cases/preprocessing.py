"""Preprocessing inside the model, and the random image layers as they act in inference."""

import numpy as np

from ..backend import keras
from ..case import Case, layer_case, sequential

L = keras.layers


def pixels(*shape):
    """Whole numbers from 0 to 255, as floats."""

    def make(rng, batch):
        return [rng.integers(0, 256, (batch, *shape)).astype(np.float32)]

    return make


def cases():
    image = (6, 5, 3)
    values = {"inputs": pixels(*image)}
    yield layer_case("rescaling", image, lambda: L.Rescaling(1 / 255), **values)
    yield layer_case("rescaling_offset", image, lambda: L.Rescaling(1 / 127.5, offset=-1.0), **values)
    yield layer_case(
        "rescaling_by_channel",
        image,
        lambda: L.Rescaling([0.017, 0.0175, 0.0174], offset=[-2.1, -2.0, -1.8]),
        **values,
    )
    yield layer_case("normalization", (4,), lambda: L.Normalization(mean=[1, 2, 3, 4], variance=[1, 4, 9, 0.5]))
    yield layer_case(
        "normalization_scalar", image, lambda: L.Normalization(axis=None, mean=127.0, variance=4000.0), **values
    )
    yield layer_case(
        "normalization_invert", (2,), lambda: L.Normalization(mean=[1, 2], variance=[1, 4], invert=True)
    )
    yield Case("normalization_adapted", lambda: adapted((4,), axis=-1))
    yield Case("normalization_adapted_image", lambda: adapted((3, 2, 3), axis=-1))
    yield Case("normalization_adapted_axis_none", lambda: adapted((4,), axis=None))
    yield Case(
        "normalization_before_dense", lambda: sequential((4,), L.Normalization(mean=0.5, variance=2.0), L.Dense(2))
    )

    for how in ("bilinear", "nearest"):
        for name, size in (("up", (9, 11)), ("down", (3, 4)), ("double", (12, 10)), ("mixed", (4, 8))):
            yield layer_case(
                f"resizing_{how}_{name}",
                image,
                lambda h=how, s=size: L.Resizing(*s, interpolation=h),
                **values,
                rtol=1e-5,
                atol=1e-4,
            )
    yield layer_case(
        "resizing_crop_to_aspect_ratio",
        (6, 10, 3),
        lambda: L.Resizing(4, 4, crop_to_aspect_ratio=True),
        inputs=pixels(6, 10, 3),
        atol=1e-4,
    )
    yield layer_case(
        "resizing_pad_to_aspect_ratio",
        (6, 10, 3),
        lambda: L.Resizing(4, 4, pad_to_aspect_ratio=True, fill_value=7.0),
        inputs=pixels(6, 10, 3),
        atol=1e-4,
    )
    yield layer_case("center_crop", image, lambda: L.CenterCrop(4, 3), **values)
    yield layer_case("center_crop_odd", image, lambda: L.CenterCrop(3, 2), **values)
    yield layer_case(
        "center_crop_larger",
        image,
        lambda: L.CenterCrop(8, 4),
        **values,
        atol=1e-4,
        notes="a crop larger than the image is resized instead",
    )

    def random(name, layer, **options):
        return layer_case(
            f"random_{name}",
            image,
            layer,
            **values | {"train": False, "notes": "inference: the identity"} | options,
        )

    yield random("flip", lambda: L.RandomFlip("horizontal_and_vertical"))
    yield random("rotation", lambda: L.RandomRotation(0.2))
    yield random("zoom", lambda: L.RandomZoom(0.2))
    yield random("translation", lambda: L.RandomTranslation(0.1, 0.2))
    yield random("contrast", lambda: L.RandomContrast(0.3))
    yield random("brightness", lambda: L.RandomBrightness(0.2))
    yield random("crop", lambda: L.RandomCrop(4, 3), notes="inference: resized to fit, then the middle", atol=1e-4)
    yield random("crop_odd", lambda: L.RandomCrop(3, 4), notes="inference: resized to fit, then the middle", atol=1e-4)
    yield Case(
        "random_layers_before_conv2d",
        lambda: sequential(
            image,
            L.RandomFlip("horizontal"),
            L.RandomRotation(0.1),
            L.Rescaling(1 / 255),
            L.Conv2D(2, 3),
            L.GlobalAveragePooling2D(),
        ),
        inputs=pixels(*image),
        train=False,
    )


def adapted(shape, axis):
    layer = L.Normalization(axis=axis)
    data = np.random.default_rng(11).normal(2.0, 3.0, (20, *shape)).astype(np.float32)
    layer.adapt(data)
    return sequential(shape, layer)
