"""Trains a text classifier of transformers with the Trainer, and PEFT for LoRA, as a recipe of retune says.

usage: recipe_texts.py RECIPE [--metric accuracy] [--unseen TABLE]

RECIPE is the file `recipe.toml` that a run of retune has kept. The model's head is the one that transformers gives it. Batches are padded to
their longest text; the validation part is evaluated after each epoch; the last weights are tested. `--unseen` is a second test part.
Prints one line of JSON: `seconds`, `peak_bytes`, `trainable`, `scores`.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "true"

import numpy as np  # noqa: E402
from datasets import Dataset  # noqa: E402
from peft import LoraConfig, TaskType, get_peft_model  # noqa: E402
from transformers import (  # noqa: E402
    AutoConfig,
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
    set_seed,
)

from recipe import Recipe, peak_bytes, score, table  # noqa: E402


def adapted(model, recipe: Recipe):
    """The model with the weights frozen that the recipe's method does not train."""
    method = recipe.get("method.kind", "full")
    if method == "lora":
        rank = recipe.get("method.rank", 8)
        alpha = recipe.get("method.alpha", rank)
        return get_peft_model(model, LoraConfig(TaskType.SEQ_CLS, r=rank, lora_alpha=alpha, target_modules=["query", "value"]))
    if method == "head":
        for parameter in model.base_model.parameters():
            parameter.requires_grad = False
    return model


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--metric", default="accuracy")
    parser.add_argument("--unseen", type=Path)
    options = parser.parse_args()
    recipe, start = Recipe(options.recipe), time.perf_counter()
    # What the libraries print goes to standard error, so that the last line of standard output is the report.
    stdout, sys.stdout = sys.stdout, sys.stderr

    set_seed(recipe.get("train.seed"))
    folder = recipe.get("model.path")
    padding = AutoConfig.from_pretrained(folder).pad_token_id
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(Path(folder) / "tokenizer.json"))
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(padding)
    encoding, prefix = recipe.get("data.encoding", "utf-8"), recipe.get("preprocess.prefix", "")
    length = recipe.get("preprocess.max-tokens", 512)
    parts = {part: table(path, encoding) for part, path in recipe.parts().items()}
    names = sorted(set(parts["train"][1]))

    def dataset(texts: list[str], labels: list[str]) -> Dataset:
        columns = dict(tokenizer([prefix + text for text in texts], truncation=True, max_length=length))
        return Dataset.from_dict({**columns, "labels": [names.index(label) for label in labels]})

    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(names), dtype="float32")
    model = adapted(model, recipe)
    batch = recipe.get("train.batch-size")
    _, warmup = recipe.step_sizes(-(-len(parts["train"][0]) // batch))
    with tempfile.TemporaryDirectory() as output:
        arguments = TrainingArguments(
            output,
            use_cpu=True,
            bf16=recipe.get("train.precision") == "bf16",
            per_device_train_batch_size=batch,
            per_device_eval_batch_size=batch,
            learning_rate=recipe.get("optimizer.learning-rate"),
            weight_decay=recipe.get("optimizer.weight-decay"),
            max_grad_norm=recipe.get("optimizer.clip-norm"),
            num_train_epochs=recipe.get("train.epochs"),
            max_steps=recipe.get("train.max-steps", -1),
            warmup_steps=warmup,
            lr_scheduler_type=recipe.get("schedule.kind"),
            eval_strategy="epoch",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            seed=recipe.get("train.seed"),
        )
        data = {part: dataset(*rows) for part, rows in parts.items()}
        collator = DataCollatorWithPadding(tokenizer)
        trainer = Trainer(
            model, arguments, train_dataset=data["train"], eval_dataset=data["validation"], data_collator=collator
        )
        trainer.train()

        def tested(part: str, rows: Dataset) -> dict:
            found = trainer.predict(rows)
            return score(part, options.metric, np.asarray(found.label_ids), found.predictions.argmax(-1))

        scores = [tested("test", data["test"])]
        seconds = time.perf_counter() - start
        if options.unseen:
            scores.append(tested("test without texts of train", dataset(*table(options.unseen, encoding))))
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    program = "transformers and PEFT" if recipe.get("method.kind") == "lora" else "transformers"
    report = {"program": program, "seconds": seconds, "peak_bytes": peak_bytes(), "trainable": trainable, "scores": scores}
    print(json.dumps(report), file=stdout)


if __name__ == "__main__":
    main()
