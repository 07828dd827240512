"""Convolutions: ordinary, depthwise, separable and transposed, in one and two dimensions."""

from ..backend import keras
from ..case import layer_case

L = keras.layers


def cases():
    yield from convolution_1d()
    yield from convolution_2d()
    yield from depthwise()
    yield from separable()
    yield from transposed()


def convolution_1d():
    def conv(name, *args, shape=(8, 3), **options):
        return layer_case(f"conv1d_{name}", shape, lambda: L.Conv1D(*args, **options))

    yield conv("valid", 4, 3)
    yield conv("same", 4, 3, padding="same")
    yield conv("same_even_kernel", 4, 4, padding="same")
    yield conv("causal", 4, 3, padding="causal")
    yield conv("causal_dilated", 4, 3, padding="causal", dilation_rate=2)
    yield conv("causal_stride_2", 4, 3, padding="causal", strides=2)
    yield conv("valid_stride_2", 4, 3, strides=2)
    yield conv("same_stride_2", 4, 3, padding="same", strides=2)
    yield conv("same_stride_2_odd", 4, 3, padding="same", strides=2, shape=(7, 3))
    yield conv("valid_dilated", 4, 3, dilation_rate=2)
    yield conv("same_dilated", 4, 3, padding="same", dilation_rate=3)
    yield conv("groups", 6, 3, groups=2, padding="same", shape=(6, 4))
    yield conv("relu_without_bias", 4, 3, activation="relu", use_bias=False)


def convolution_2d():
    def conv(name, *args, shape=(6, 5, 3), **options):
        return layer_case(f"conv2d_{name}", shape, lambda: L.Conv2D(*args, **options))

    yield conv("valid", 4, 3)
    yield conv("same", 4, 3, padding="same")
    yield conv("same_relu", 4, 3, padding="same", activation="relu")
    yield conv("without_bias", 4, 3, use_bias=False)
    yield conv("1x1", 5, 1)
    yield conv("1x1_stride_2", 5, 1, strides=2)
    yield conv("3_to_8_channels", 8, 3, padding="same")
    yield conv("rectangular_kernel", 4, (1, 3), padding="same")
    yield conv("even_kernel_same", 4, 2, padding="same")
    yield conv("kernel_4x2_valid", 4, (4, 2))
    yield conv("kernel_5_same", 2, 5, padding="same", shape=(7, 7, 2))
    yield conv("kernel_larger_than_image_same", 2, 5, padding="same", shape=(3, 4, 2))
    yield conv("stride_2_same_even", 4, 3, strides=2, padding="same", shape=(6, 8, 3))
    yield conv("stride_2_same_odd", 4, 3, strides=2, padding="same", shape=(5, 7, 3))
    yield conv("stride_2_valid_even", 4, 3, strides=2, shape=(6, 8, 3))
    yield conv("stride_2_valid_odd", 4, 3, strides=2, shape=(5, 7, 3))
    yield conv("stride_3_same", 4, 3, strides=3, padding="same", shape=(8, 7, 3))
    yield conv("strides_1_2_same", 4, 3, strides=(1, 2), padding="same")
    yield conv("stride_2_kernel_5_same", 2, 5, strides=2, padding="same", shape=(8, 7, 2))
    yield conv("dilated_valid", 4, 3, dilation_rate=2, shape=(7, 8, 3))
    yield conv("dilated_same", 4, 3, dilation_rate=2, padding="same")
    yield conv("dilated_2_1_same", 4, 3, dilation_rate=(2, 1), padding="same")
    yield conv("groups_2", 6, 3, groups=2, padding="same", shape=(5, 5, 4))
    yield conv("groups_as_channels", 8, 3, groups=4, shape=(5, 5, 4))
    yield conv("groups_stride_2", 4, 3, groups=2, strides=2, padding="same", shape=(6, 5, 4))


def depthwise():
    def conv(name, *args, shape=(6, 5, 3), **options):
        return layer_case(f"depthwise_conv2d_{name}", shape, lambda: L.DepthwiseConv2D(*args, **options))

    yield conv("valid", 3)
    yield conv("same", 3, padding="same")
    yield conv("same_relu6_without_bias", 3, padding="same", use_bias=False, activation="relu6")
    yield conv("multiplier_2", 3, depth_multiplier=2, padding="same")
    yield conv("stride_2_same", 3, strides=2, padding="same")
    yield conv("stride_2_same_even", 3, strides=2, padding="same", shape=(6, 8, 3))
    yield conv("stride_2_valid", 3, strides=2)
    yield conv("kernel_5_multiplier_2_stride_2", 5, depth_multiplier=2, strides=2, padding="same", shape=(8, 7, 2))
    yield conv("dilated_same", 3, dilation_rate=2, padding="same")
    yield conv("dilated_valid", 3, dilation_rate=2, shape=(7, 6, 3))

    def conv1d(name, *args, shape=(8, 3), **options):
        return layer_case(f"depthwise_conv1d_{name}", shape, lambda: L.DepthwiseConv1D(*args, **options))

    yield conv1d("valid", 3)
    yield conv1d("same_multiplier_2", 3, padding="same", depth_multiplier=2)
    yield conv1d("stride_2_same", 3, padding="same", strides=2)
    yield conv1d("dilated", 3, padding="same", dilation_rate=2)


def separable():
    def conv(name, *args, shape=(6, 5, 3), **options):
        return layer_case(f"separable_conv2d_{name}", shape, lambda: L.SeparableConv2D(*args, **options))

    yield conv("valid", 4, 3)
    yield conv("same", 4, 3, padding="same")
    yield conv("same_relu_without_bias", 4, 3, padding="same", use_bias=False, activation="relu")
    yield conv("multiplier_2", 4, 3, padding="same", depth_multiplier=2)
    yield conv("stride_2_same", 4, 3, padding="same", strides=2)
    yield conv("dilated_same", 4, 3, padding="same", dilation_rate=2)

    def conv1d(name, *args, **options):
        return layer_case(f"separable_conv1d_{name}", (8, 3), lambda: L.SeparableConv1D(*args, **options))

    yield conv1d("valid", 4, 3)
    yield conv1d("same_multiplier_2", 4, 3, padding="same", depth_multiplier=2)
    yield conv1d("stride_2_same", 4, 3, padding="same", strides=2)


def transposed():
    # Dilation is left out: TensorFlow has no kernel for it on the CPU.
    def conv(name, *args, shape=(4, 3, 3), **options):
        return layer_case(f"conv2d_transpose_{name}", shape, lambda: L.Conv2DTranspose(*args, **options))

    yield conv("valid", 2, 3)
    yield conv("same", 2, 3, padding="same")
    yield conv("stride_2_valid", 2, 3, strides=2)
    yield conv("stride_2_same", 2, 3, strides=2, padding="same")
    yield conv("stride_2_kernel_2", 2, 2, strides=2)
    yield conv("stride_2_kernel_4_same", 2, 4, strides=2, padding="same")
    yield conv("stride_3_kernel_2_valid", 2, 2, strides=3)
    yield conv("strides_2_1_same_relu", 2, 3, strides=(2, 1), padding="same", activation="relu", use_bias=False)
    yield conv("output_padding_same", 2, 3, strides=2, padding="same", output_padding=0)
    yield conv("output_padding_valid", 2, 3, strides=2, output_padding=1)

    def conv1d(name, *args, **options):
        return layer_case(f"conv1d_transpose_{name}", (5, 3), lambda: L.Conv1DTranspose(*args, **options))

    yield conv1d("valid", 2, 3)
    yield conv1d("stride_2_same", 2, 3, strides=2, padding="same")
    yield conv1d("stride_2_valid", 2, 3, strides=2)
    yield conv1d("stride_3_output_padding", 2, 3, strides=3, padding="same", output_padding=1)
