"""Trains a text classifier of transformers for an epoch with the Trainer, as its documentation does.

usage: trainer.py MODEL TABLE [--bf16] [--seed 0] [--test TABLE]

TABLE has lines of `sentence<TAB>label`, with or without a header. Batches of 32 padded to their longest text, AdamW, a linear
schedule, float32 unless `--bf16`. Prints one line of JSON as `bench/README.md` describes; with `--test`, the accuracy too.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "true"

from datasets import Dataset  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)


def read(path: str) -> tuple[list[str], list[str]]:
    """The texts and labels of a table."""
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    if rows[0][1] == "label":
        rows = rows[1:]
    return [row[0] for row in rows], [row[1] for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("table")
    parser.add_argument("--test")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    set_seed(options.seed)
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    texts, labels = read(options.table)
    names = sorted(set(labels))
    model = AutoModelForSequenceClassification.from_pretrained(options.model, num_labels=len(names))

    def dataset(texts: list[str], labels: list[str]) -> Dataset:
        columns = dict(tokenizer(texts, truncation=True, max_length=128))
        return Dataset.from_dict({**columns, "labels": [names.index(label) for label in labels]})

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            use_cpu=True,
            bf16=options.bf16,
            per_device_train_batch_size=32,
            learning_rate=5e-5,
            weight_decay=0.01,
            num_train_epochs=1,
            warmup_steps=22,
            lr_scheduler_type="linear",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            seed=options.seed,
        )
        trainer = Trainer(model, arguments, train_dataset=dataset(texts, labels), data_collator=DataCollatorWithPadding(tokenizer))
        # What the Trainer logs goes to standard error, so that the last line of standard output is the report.
        start, stdout = time.perf_counter(), sys.stdout
        sys.stdout = sys.stderr
        trainer.train()
        sys.stdout = stdout
        report = {"train_s": time.perf_counter() - start}
        if options.test:
            test = dataset(*read(options.test))
            found = trainer.predict(test)
            report["accuracy"] = float((found.predictions.argmax(-1) == found.label_ids).mean())
    report["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
