"""Changes of images by given strengths, as torchvision makes them of images of Pillow."""

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file
from torchvision.transforms import functional as F
from torchvision.transforms.functional import InterpolationMode as Mode



def picture(height: int, width: int, seed: int) -> Image.Image:
    """Smooth in most places, with noise and a few pixels of the extremes."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    channels = [
        127 + 90 * np.sin(x / 5.0 + c) * np.cos(y / (4.0 + c)) + random.normal(0, 12, (height, width)) for c in range(3)
    ]
    pixels = np.clip(np.stack(channels, axis=-1), 0, 255).astype(np.uint8)
    pixels[3, 4] = [255, 0, 0]
    pixels[5, 6] = [10, 10, 10]
    pixels[7, 8] = [0, 255, 255]
    return Image.fromarray(pixels)


def dull(image: Image.Image) -> Image.Image:
    """Of few values, for what looks at histograms."""
    return Image.fromarray((np.asarray(image) // 3 + 40).astype(np.uint8))


def cases(image: Image.Image) -> dict:
    width, height = image.size
    results = {}
    for factor in (0.0, 0.1, 0.73, 1.0, 1.9):
        results[f"brightness/{factor}"] = F.adjust_brightness(image, factor)
        results[f"contrast/{factor}"] = F.adjust_contrast(image, factor)
        results[f"saturation/{factor}"] = F.adjust_saturation(image, factor)
        results[f"sharpness/{factor}"] = F.adjust_sharpness(image, factor)
    for turn in (-0.5, -0.13, 0.0, 0.08, 0.31):
        results[f"hue/{turn}"] = F.adjust_hue(image, turn)
    results["grey/0"] = F.to_grayscale(image, 3)
    results["invert/0"] = F.invert(image)
    results["auto-contrast/0"] = F.autocontrast(image)
    results["auto-contrast-dull/0"] = F.autocontrast(dull(image))
    results["equalize/0"] = F.equalize(image)
    results["equalize-dull/0"] = F.equalize(dull(image))
    for bits in (1, 4, 8):
        results[f"posterize/{bits}"] = F.posterize(image, bits)
    for threshold in (0.0, 110.5, 255.0):
        results[f"solarize/{threshold}"] = F.solarize(image, threshold)
    for sigma in (0.3, 1.7):
        results[f"blur/{sigma}"] = F.gaussian_blur(image, 7, sigma)
    for by in (-0.29, 0.11, 0.99):
        degrees = math.degrees(math.atan(by))
        still = dict(angle=0.0, translate=[0, 0], scale=1.0, center=[0, 0])
        results[f"shear-x/{by}"] = F.affine(image, shear=[degrees, 0.0], **still)
        results[f"shear-y/{by}"] = F.affine(image, shear=[0.0, degrees], **still)
    for by in (-7.8, 3.2):
        still = dict(angle=0.0, scale=1.0, shear=[0.0, 0.0])
        results[f"translate-x/{by}"] = F.affine(image, translate=[int(by), 0], **still)
        results[f"translate-y/{by}"] = F.affine(image, translate=[0, int(by)], **still)
    for degrees in (-30.0, 3.0, 90.0, 135.0):
        results[f"rotate/{degrees}"] = F.rotate(image, degrees)
    for name, mode in (("nearest", Mode.NEAREST), ("bilinear", Mode.BILINEAR)):
        results[f"affine-{name}/0"] = F.affine(image, 17.0, [2, -3], 1.3, [5.0, -8.0], interpolation=mode, fill=9)
    old = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
    new = [[2, 1], [width - 4, 3], [width - 2, height - 6], [5, height - 3]]
    results["perspective/0"] = F.perspective(image, old, new, fill=9)
    for top, left, rows, columns, size in ((2, 3, 19, 17, 8), (0, 5, 11, 13, 24)):
        results[f"crop/{top},{left},{rows},{columns},{size}"] = F.resized_crop(
            image, top, left, rows, columns, [size, size], Mode.BILINEAR, antialias=True
        )
    return results


def run(folder: Path) -> None:
    torch.set_num_threads(1)
    image = picture(29, 37, 7)
    results = {"image": image, "dull": dull(image), **cases(image)}
    save_file({name: np.asarray(result) for name, result in results.items()}, folder / "cases.safetensors")
