"""Times full training steps of a Keras model: forward, loss, gradients, Adam, moving statistics.

usage: keras_step.py MODEL [--head CLASSES] [--batch 32] [--steps 60] [--warmup 10] [--images FOLDER] [--without-onednn]

Keras 3 on TensorFlow as it is after installation: all cores, oneDNN, `fit` on arrays in memory. Prints one line of JSON as
`bench/README.md` describes.
"""

import time

START = time.perf_counter()

import argparse  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
if "--without-onednn" in sys.argv:  # must be known before TensorFlow is imported
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import keras  # noqa: E402
import numpy as np  # noqa: E402


class StepTimes(keras.callbacks.Callback):
    """The time at which each step was done."""

    def __init__(self) -> None:
        super().__init__()
        self.done = []

    def on_train_batch_end(self, batch, logs=None) -> None:
        self.done.append(time.perf_counter())


def random_images(count: int, shape: tuple[int, ...], classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of random bytes with random labels."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, *shape), dtype=np.uint8).astype("float32")
    return images, random.integers(0, classes, count)


def folder_images(folder: Path, count: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The first images of each class in turn, from sub-folders in the order of their names."""
    classes = [sorted(path for path in sub.iterdir() if path.is_file()) for sub in sorted(folder.iterdir()) if sub.is_dir()]
    if not any(classes):
        sys.exit(f"error: no images in the sub-folders of `{folder}`")
    color = "grayscale" if shape[-1] == 1 else "rgb"
    images, labels = [], []
    for index in range(count):
        label = index % len(classes)
        path = classes[label][index // len(classes) % len(classes[label])]
        image = keras.utils.load_img(path, color_mode=color, target_size=shape[:2], interpolation="bilinear")
        images.append(keras.utils.img_to_array(image))
        labels.append(label)
    return np.stack(images), np.array(labels)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--head", type=int)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--warmup", type=int, default=10)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--without-onednn", action="store_true")
    options = parser.parse_args()

    model = keras.models.load_model(options.model, compile=False)
    shape = model.inputs[0].shape[1:]
    if options.head:
        model = keras.Sequential([keras.Input(shape), model, keras.layers.Dense(options.head, activation="softmax")])
    classes = model.outputs[0].shape[-1]
    model.compile(optimizer=keras.optimizers.Adam(0.001), loss="categorical_crossentropy")

    count = options.batch * (options.warmup + options.steps)
    if options.images:
        images, labels = folder_images(options.images, count, shape)
    else:
        images, labels = random_images(count, shape, classes)
    times = StepTimes()
    targets = keras.utils.to_categorical(labels, classes)
    model.fit(images, targets, batch_size=options.batch, verbose=0, callbacks=[times])

    done = np.array(times.done)
    steps = np.diff(done)[max(options.warmup - 1, 0) :] * 1e3
    if steps.size == 0:
        steps = np.array([0.0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    report = {
        "median_ms": float(np.median(steps)),
        "p10_ms": float(np.percentile(steps, 10)),
        "p90_ms": float(np.percentile(steps, 90)),
        "first_step_s": float(done[0] - START),
        "peak_bytes": peak,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
