"""Times full training steps of an image network of timm on PyTorch: forward, loss, gradients, Adam.

usage: timm_step.py NAME [--save FILE] [--bf16] [--batch 32] [--steps 10] [--warmup 3]

PyTorch as it is after installation, all cores, float32 unless `--bf16`, which runs under autocast. Both memory formats are timed and
the faster one is reported. `--save` only writes random weights, for both sides to start from. Prints one line of JSON as
`bench/README.md` describes.
"""

import argparse
import json
import resource
import sys
import time
from contextlib import nullcontext

START = time.perf_counter()

import numpy as np  # noqa: E402
import timm  # noqa: E402
import torch  # noqa: E402


def step_times(
    name: str, memory_format: torch.memory_format, batch: int, count: int, bf16: bool
) -> tuple[list[float], float]:
    """Seconds of each step, and the time at which the first was done."""
    context = torch.autocast("cpu", dtype=torch.bfloat16) if bf16 else nullcontext()
    model = timm.create_model(name, num_classes=1000).train().to(memory_format=memory_format)
    size = model.pretrained_cfg["input_size"]
    optimizer = torch.optim.Adam(model.parameters(), 0.001)
    images = torch.rand(batch, *size).contiguous(memory_format=memory_format)
    labels = torch.randint(0, 1000, (batch,))
    times, first = [], 0.0
    for _ in range(count):
        start = time.perf_counter()
        optimizer.zero_grad()
        with context:
            loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
        first = first or time.perf_counter()
    return times, first


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--save")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--warmup", type=int, default=3)
    options = parser.parse_args()
    if options.save:
        from safetensors.torch import save_file

        save_file(timm.create_model(options.name, num_classes=1000).state_dict(), options.save)
        return

    best, first = None, None
    for memory_format in (torch.channels_last, torch.contiguous_format):
        count = options.warmup + options.steps
        times, done = step_times(options.name, memory_format, options.batch, count, options.bf16)
        first = first or done
        steps = np.array(times[options.warmup :]) * 1e3
        if best is None or np.median(steps) < np.median(best):
            best = steps
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    report = {
        "median_ms": float(np.median(best)),
        "p10_ms": float(np.percentile(best, 10)),
        "p90_ms": float(np.percentile(best, 90)),
        "first_step_s": first - START,
        "peak_bytes": peak,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
