"""How many images of a folder one thread decodes and augments in a second, by torchvision or albumentations.

`python augment.py torchvision|albumentations FOLDER SIDE [PASSES]`: random-resized-crop, flip, RandAugment, normalization.
"""

import json
import statistics
import sys
import time
from pathlib import Path

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def by_torchvision(side: int):
    import torch
    from PIL import Image
    from torchvision import transforms

    torch.set_num_threads(1)
    steps = transforms.Compose([
        transforms.RandomResizedCrop(side),
        transforms.RandomHorizontalFlip(),
        transforms.RandAugment(),
        transforms.ToTensor(),
        transforms.Normalize(MEAN, STD),
    ])
    return lambda path: steps(Image.open(path).convert("RGB"))


def by_albumentations(side: int):
    import albumentations as A
    import cv2

    cv2.setNumThreads(0)
    # The changes of RandAugment at strength 9 of 30, two of them; albumentations has no policy of this name.
    nearest = dict(interpolation=cv2.INTER_NEAREST)
    changes = [
        A.NoOp(),
        *(A.Affine(shear={axis: (-5.14, 5.14), other: (0, 0)}, p=1, **nearest) for axis, other in ("xy", "yx")),
        *(A.Affine(translate_percent={axis: (-0.136, 0.136), other: (0, 0)}, p=1, **nearest) for axis, other in ("xy", "yx")),
        A.Affine(rotate=(-9, 9), p=1, **nearest),
        A.ColorJitter(brightness=(0.73, 1.27), contrast=(1, 1), saturation=(1, 1), hue=(0, 0), p=1),
        A.ColorJitter(brightness=(1, 1), contrast=(1, 1), saturation=(0.73, 1.27), hue=(0, 0), p=1),
        A.ColorJitter(brightness=(1, 1), contrast=(0.73, 1.27), saturation=(1, 1), hue=(0, 0), p=1),
        A.Sharpen(alpha=(0.0, 0.27), p=1),
        A.Posterize(num_bits=7, p=1),
        A.Solarize(threshold_range=(0.7, 0.7), p=1),
        A.AutoContrast(p=1),
        A.Equalize(p=1),
    ]
    steps = A.Compose([
        A.RandomResizedCrop(size=(side, side), interpolation=cv2.INTER_LINEAR),
        A.HorizontalFlip(p=0.5),
        A.SomeOf(changes, n=2, replace=True, p=1),
        A.Normalize(MEAN, STD),
    ])
    return lambda path: steps(image=cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB))["image"]


def main() -> None:
    peer, folder, side = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    passes = int(sys.argv[4]) if len(sys.argv) > 4 else 3
    prepare = {"torchvision": by_torchvision, "albumentations": by_albumentations}[peer](side)
    train = folder / "train" if (folder / "train").is_dir() else folder
    paths = [str(path) for path in sorted(train.rglob("*.jpg"))[:2000]]
    rates = []
    for round_number in range(passes + 1):
        start = time.perf_counter()
        for path in paths:
            prepare(path)
        if round_number:
            rates.append(len(paths) / (time.perf_counter() - start))
    print(json.dumps({"images_per_s": round(statistics.median(rates), 1)}))


if __name__ == "__main__":
    main()
