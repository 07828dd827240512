"""Times training steps of a text classifier of transformers on PyTorch: forward, loss, gradients, clipping, AdamW.

usage: transformers_step.py MODEL [--lora RANK] [--bf16] [--batch 32] [--tokens 36] [--steps 20] [--warmup 3]

PyTorch as it is after installation, all cores; `--lora` puts PEFT's terms on query and value, `--bf16` runs under autocast.
All sequences are equally long, so nothing is padded. Prints one line of JSON as `bench/README.md` describes.
"""

import argparse
import json
import os
import resource
import sys
import time
from contextlib import nullcontext

START = time.perf_counter()
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np  # noqa: E402
import torch  # noqa: E402
from transformers import AutoModelForSequenceClassification  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--lora", type=int)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=36)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warmup", type=int, default=3)
    options = parser.parse_args()

    model = AutoModelForSequenceClassification.from_pretrained(options.model, num_labels=2)
    if options.lora:
        from peft import LoraConfig, TaskType, get_peft_model

        terms = LoraConfig(TaskType.SEQ_CLS, r=options.lora, target_modules=["query", "value"])
        model = get_peft_model(model, terms)
    model.train()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=5e-5, weight_decay=0.01)
    shape = (options.batch, options.tokens)
    tokens, mask = torch.randint(1000, 2000, shape), torch.ones(shape, dtype=torch.long)
    labels = torch.randint(0, 2, (options.batch,))
    context = torch.autocast("cpu", dtype=torch.bfloat16) if options.bf16 else nullcontext()

    times, first = [], 0.0
    for _ in range(options.warmup + options.steps):
        start = time.perf_counter()
        with context:
            loss = model(input_ids=tokens, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.perf_counter() - start)
        first = first or time.perf_counter()
    steps = np.array(times[options.warmup :]) * 1e3
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    report = {
        "median_ms": float(np.median(steps)),
        "p10_ms": float(np.percentile(steps, 10)),
        "p90_ms": float(np.percentile(steps, 90)),
        "first_step_s": first - START,
        "peak_bytes": peak,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
