"""Trains an image network of timm on photos in a plain loop of PyTorch, as a recipe of retune says.

usage: recipe_photos.py RECIPE [--metric accuracy]

RECIPE is the file `recipe.toml` that a run of retune has kept; its data is a folder of `train` and `test` with a sub-folder of photos for each
class. Float32, the memory format `channels_last`, two workers that decode. With the method `head` the frozen part runs without gradients, in
inference mode. Weights and statistics of the last step are tested. Prints one line of JSON: `seconds`, `peak_bytes`, `trainable`, `scores`.
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import timm
import torch
from torchvision import datasets, transforms

from recipe import Recipe, peak_bytes, score


def network(path: Path, classes: int) -> torch.nn.Module:
    """timm's network with the weights of a file. Those of efficientnet_pytorch and torchvision have other names but the same order."""
    name = "tf_efficientnet_lite0" if "efficientnet" in path.name else "mobilenetv2_100"
    model = timm.create_model(name)
    state = torch.load(path, map_location="cpu", weights_only=True)
    given = [value for key, value in state.items() if not key.endswith("num_batches_tracked")]
    own = {key: value for key, value in model.state_dict().items() if not key.endswith("num_batches_tracked")}
    assert [value.shape for value in given] == [value.shape for value in own.values()], "the file is of another network"
    model.load_state_dict(dict(zip(own, given)), strict=False)
    model.reset_classifier(classes)
    return model


def augmentation(recipe: Recipe) -> list:
    """The recipe's changes to training images, at the network's size."""
    pad, change = recipe.get("augment.pad-crop", 0), recipe.get("augment.brightness", 0.0)
    return [
        transforms.Pad(pad, padding_mode="reflect"),
        transforms.RandomCrop(224),
        transforms.RandomHorizontalFlip(recipe.get("augment.horizontal-flip", 0.0)),
        transforms.ColorJitter(change, recipe.get("augment.contrast", 0.0)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--metric", default="accuracy")
    options = parser.parse_args()
    recipe, start = Recipe(options.recipe), time.perf_counter()
    torch.manual_seed(recipe.get("train.seed"))

    weights, head_only = Path(recipe.get("model.path")), recipe.get("method.kind") == "head"
    mean, deviation = ([0.498] * 3, [0.502] * 3) if "efficientnet" in weights.name else ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    resize, finish = [transforms.Resize((224, 224))], [transforms.ToTensor(), transforms.Normalize(mean, deviation)]
    parts = recipe.parts()
    train = datasets.ImageFolder(parts["train"], transforms.Compose(resize + augmentation(recipe) + finish))
    plain = transforms.Compose(resize + finish)
    batch = recipe.get("train.batch-size")
    loader = torch.utils.data.DataLoader(train, batch, shuffle=True, num_workers=2, persistent_workers=True)

    model = network(weights, len(train.classes)).to(memory_format=torch.channels_last)
    head = model.get_classifier()
    trained = list(head.parameters() if head_only else model.parameters())
    decay = recipe.get("optimizer.weight-decay")
    groups = [
        {"params": [weight for weight in trained if weight.ndim > 1], "weight_decay": decay},
        {"params": [weight for weight in trained if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, recipe.get("optimizer.learning-rate"))
    total, warmup = recipe.step_sizes(len(loader))

    def factor(step: int) -> float:
        if step < warmup:
            return step / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)

    def scores_of(images: torch.Tensor) -> torch.Tensor:
        images = images.contiguous(memory_format=torch.channels_last)
        if not head_only:
            return model(images)
        with torch.no_grad():
            features = model.forward_head(model.forward_features(images), pre_logits=True)
        return head(features)

    def answers(part: str) -> tuple[np.ndarray, np.ndarray]:
        model.eval()
        found, truth = [], []
        photos = datasets.ImageFolder(parts[part], plain)
        with torch.inference_mode():
            for images, labels in torch.utils.data.DataLoader(photos, batch, num_workers=2):
                found.append(scores_of(images).argmax(-1).numpy())
                truth.append(labels.numpy())
        return np.concatenate(truth), np.concatenate(found)

    step = 0
    while step < total:
        model.train(not head_only)
        for images, labels in loader:
            loss = torch.nn.functional.cross_entropy(scores_of(images), labels)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, recipe.get("optimizer.clip-norm"))
            optimizer.step()
            schedule.step()
            step += 1
            if step == total:
                break
        answers("validation")
    scores = [score("test", options.metric, *answers("test"))]
    report = {
        "program": "timm on PyTorch",
        "seconds": time.perf_counter() - start,
        "peak_bytes": peak_bytes(),
        "trainable": sum(weight.numel() for weight in trained),
        "scores": scores,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
