"""Trains the head of a frozen image network of timm on photos, without a cache, as a plain loop in PyTorch does.

usage: timm_head.py NAME FOLDER [--epochs 10]

FOLDER has one sub-folder of photos for each class, or `train` with such sub-folders. Batches of 32 at 224×224, Adam, float32, two
workers that decode. The frozen part runs without gradients, in inference mode. Weights are random: only time is measured.
Prints one line of JSON as `bench/README.md` describes.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import timm
import torch
from torchvision import datasets, transforms


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()

    folder = options.folder / "train" if (options.folder / "train").is_dir() else options.folder
    prepare = transforms.Compose(
        [transforms.Resize((224, 224)), transforms.ToTensor(), transforms.Normalize([0.498] * 3, [0.502] * 3)]
    )
    photos = datasets.ImageFolder(folder, prepare)
    loader = torch.utils.data.DataLoader(photos, 32, shuffle=True, num_workers=2, persistent_workers=True)
    model = timm.create_model(options.name, num_classes=len(photos.classes)).eval()
    model = model.to(memory_format=torch.channels_last)
    head = model.get_classifier()
    optimizer = torch.optim.Adam(head.parameters(), 0.001)

    start = time.perf_counter()
    for _ in range(options.epochs):
        for images, labels in loader:
            with torch.no_grad():
                features = model.forward_features(images.contiguous(memory_format=torch.channels_last))
                features = model.forward_head(features, pre_logits=True)
            loss = torch.nn.functional.cross_entropy(head(features), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    report = {
        "train_s": time.perf_counter() - start,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
