"""Lets retune train small models, and transformers and PEFT load what it has saved, and compares what both answer.

usage: hugging_face.py --retune PROGRAM --scratch FOLDER [NAME...]

The models are the folders of `tests/golden/transformers` and `tests/golden/torch_vision` that transformers has written. Each is trained for a few
steps on data made here: classifiers in full and by every adapter that PEFT knows, labellers of words, networks for images with and without
LoRA. What retune answers is then compared with what transformers, or PEFT over the untouched model, computes from the saved folder. The table
has one row for each; a difference above 1e-5, a refusal or a folder that is not loaded makes the program fail. A NAME is a part of a row's name.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from peft import PeftModel
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden"
TOLERANCE = 1e-5

WORDS = ["a", "the", "film", "is", "was", "and", "very", "quite", "story", "plot", "actor", "scene"]
TEXTS = ["a good film", "very bad plot and scene", "quite the story"]
CLASSES = ["neg", "pos"]

# What is set for each adapter.
LORA = ["method.kind=lora", "method.rank=2"]
ADAPTERS = {
    "lora": LORA,
    "pissa": [*LORA, "method.init=pissa"],
    "pissa, rank-stabilized": [*LORA, "method.init=pissa", "method.rank-stabilized=true"],
    "dora": [*LORA, "method.decomposed=true"],
    "ia3": ["method.kind=ia3"],
    "prompt": ["method.kind=prompt", "method.virtual-tokens=3"],
    "prefix": ["method.kind=prefix", "method.virtual-tokens=2"],
}
CLASSIFIERS = ["bert", "roberta", "distilbert", "electra", "albert", "mpnet", "deberta", "modern_bert"]
# Networks whose attention takes no keys and values from outside.
WITHOUT_PREFIX = ["distilbert", "albert", "mpnet", "deberta", "modern_bert"]
LABELLERS = ["bert", "deberta", "modern_bert", "mpnet", "xlm_roberta"]
IMAGES = ["resnet_transformers_basic", "mobilenet_v2_transformers", "vit_transformers", "swin_transformers", "convnext_transformers"]
# What the peers cannot do, and why.
PEERS_CANNOT = {
    "mobilenet_v2_transformers, lora": "transformers asks the convolution that PEFT has wrapped for its stride",
    "vit_transformers, lora": "transformers 5 gives modules other names than the weights in its files, after which adapters are named",
    "swin_transformers, lora": "as for ViT",
}


@dataclass
class Case:
    """A model that is trained, and what is compared."""

    name: str
    difference: Callable[[], float]


class Retune:
    """The program, run in a folder."""

    def __init__(self, program: Path, folder: Path):
        self.program, self.folder = program, folder

    def run(self, *arguments) -> str:
        command = [str(self.program), *map(str, arguments)]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip() or done.stdout.strip())
        return done.stdout

    def fit(self, model: Path, data: str, output: str, settings: list[str]) -> Path:
        """Trains for two epochs and gives the folder of the run."""
        shutil.rmtree(self.folder / output, ignore_errors=True)
        sets = [part for setting in [*settings, "train.epochs=2", "optimizer.learning-rate=0.01"] for part in ("--set", setting)]
        self.run("--quiet", "fit", "--model", model, "--data", data, "--output", output, *sets)
        return self.folder / output

    def predict(self, model: Path, *inputs) -> list[dict]:
        return json.loads(self.run("--json", "predict", "--model", model, *inputs))["predictions"]


def texts_of(retune: Retune) -> str:
    """A table of sixty labelled texts."""
    rows = ["text\tlabel"]
    for i in range(60):
        words = [WORDS[i % 12], WORDS[i * 5 % 11], "good" if i % 3 else "bad", WORDS[i * 7 % 12]]
        rows.append(f"{' '.join(words)}\t{CLASSES[i % 3 > 0]}")
    (retune.folder / "texts.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return "texts.tsv"


def words_of(retune: Retune) -> str:
    """Forty sentences whose words are labelled."""
    sentences = [[f"{WORDS[i % 12]} O", "scene B-LOC", f"{WORDS[i * 5 % 12]} O", "actor B-PER"] for i in range(40)]
    text = "\n\n".join("\n".join(words) for words in sentences)
    (retune.folder / "words.conll").write_text(text + "\n", encoding="utf-8")
    return "words.conll"


def pictures_of(retune: Retune, side: int) -> str:
    """Two classes of twelve pictures of this side."""
    folder, random = retune.folder / f"pictures-{side}", np.random.default_rng(0)
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(12):
            pixels = random.integers(64 * label, 192 + 64 * label, (side, side, 3), dtype=np.uint8, endpoint=False)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder.name


def base(retune: Retune, folder: str, name: str) -> Path:
    """A golden model as a user has it: with a tokenizer."""
    into = retune.folder / "models" / name
    into.mkdir(parents=True, exist_ok=True)
    for file in ["config.json", "model.safetensors"]:
        shutil.copy(GOLDEN / folder / name / file, into)
    if folder == "transformers":
        shutil.copy(GOLDEN / "tokenizers" / "words.json", into / "tokenizer.json")
    return into


def tokens_of(folder: Path, text: str, **settings) -> dict[str, torch.Tensor]:
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    encoded = tokenizer(text, return_tensors="pt", **settings)
    return {key: encoded[key] for key in ["input_ids", "attention_mask"]}


def worst(ours: list, theirs: list) -> float:
    return float(np.abs(np.array(ours) - np.array(theirs)).max())


def classifier(retune: Retune, name: str, adapter: str | None) -> float:
    """The difference in probabilities of a classifier of texts, trained in full or by an adapter."""
    model = base(retune, "transformers", f"{name}_classification")
    settings = ADAPTERS[adapter] if adapter else []
    run = retune.fit(model, texts_of(retune), f"runs/{name}-{adapter or 'full'}", settings)
    saved = run / ("adapter" if adapter else "model")
    answers = retune.predict(saved, *[part for text in TEXTS for part in ("--text", text)])
    if adapter:
        whole = AutoModelForSequenceClassification.from_pretrained(model, num_labels=2, ignore_mismatched_sizes=True)
        network = PeftModel.from_pretrained(whole, saved)
    else:
        network = AutoModelForSequenceClassification.from_pretrained(saved)
        names = [network.config.id2label[index] for index in range(2)]
        assert names == CLASSES, names
    network.eval()
    ours = [[answer["probabilities"][name] for name in CLASSES] for answer in answers]
    with torch.no_grad():
        return worst(ours, [network(**tokens_of(model, text)).logits.softmax(-1)[0].tolist() for text in TEXTS])


def labeller(retune: Retune, name: str) -> float:
    """The difference in the scores of the first entity of each text, which is the mean probability of its words' labels."""
    model = base(retune, "transformers", f"{name}_tokens")
    saved = retune.fit(model, words_of(retune), f"runs/{name}-tokens", []) / "model"
    network = AutoModelForTokenClassification.from_pretrained(saved).eval()
    differences = []
    for text in TEXTS:
        [answer] = retune.predict(saved, "--text", text)
        words = text.split()
        assert answer["tokens"] == words, answer
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(saved / "tokenizer.json"))
        encoded = tokenizer(words, is_split_into_words=True, return_tensors="pt")
        with torch.no_grad():
            shares = network(input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"]).logits.softmax(-1)[0]
        first = [encoded.word_ids(0).index(word) for word in range(len(words))]
        best, chosen = shares[first].max(-1)
        assert answer["tags"] == [network.config.id2label[index] for index in chosen.tolist()], answer["tags"]
        for entity in answer["entities"]:
            differences.append(abs(entity["score"] - float(best[entity["start"] : entity["end"]].mean())))
    return max(differences, default=0.0)


def images(retune: Retune, name: str, adapter: str | None) -> float:
    """The difference in probabilities of a network for images, trained in full or by LoRA."""
    model = base(retune, "torch_vision", name)
    side = json.loads((model / "config.json").read_text()).get("image_size", 224)
    pictures = pictures_of(retune, side)
    size = [f"preprocess.resize=[{side}, {side}]"]
    run = retune.fit(model, pictures, f"runs/{name}-{adapter or 'full'}", [*size, *(ADAPTERS[adapter] if adapter else [])])
    saved, shown = run / ("adapter" if adapter else "model"), retune.folder / pictures / "pos" / "3.png"
    [answer] = retune.predict(saved, "--input", shown)
    processor = AutoImageProcessor.from_pretrained(run / "model", use_fast=False)
    if adapter:
        whole = AutoModelForImageClassification.from_pretrained(model, num_labels=2, ignore_mismatched_sizes=True)
        network = PeftModel.from_pretrained(whole, saved).eval()
    else:
        network = AutoModelForImageClassification.from_pretrained(saved).eval()
    with torch.no_grad():
        shares = network(**processor(Image.open(shown), return_tensors="pt")).logits.softmax(-1)[0].tolist()
    return worst([answer["probabilities"][name] for name in CLASSES], shares)


def cases(retune: Retune) -> Iterator[Case]:
    for name in CLASSIFIERS:
        for adapter in [None, *ADAPTERS]:
            if adapter != "prefix" or name not in WITHOUT_PREFIX:
                yield Case(f"{name}, {adapter or 'full'}", lambda name=name, adapter=adapter: classifier(retune, name, adapter))
    for name in LABELLERS:
        yield Case(f"{name}, labels of words", lambda name=name: labeller(retune, name))
    for name in IMAGES:
        for adapter in [None, "lora"]:
            yield Case(f"{name}, {adapter or 'full'}", lambda name=name, adapter=adapter: images(retune, name, adapter))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--retune", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    # A head of another size is replaced on purpose.
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    options.scratch.mkdir(parents=True, exist_ok=True)
    retune, failed = Retune(options.retune.resolve(), options.scratch.resolve()), 0
    for case in cases(retune):
        if options.names and not any(name in case.name for name in options.names):
            continue
        try:
            difference = case.difference()
            verdict = "equal" if difference <= TOLERANCE else "DIFFERENT"
            print(f"{case.name:45} {difference:9.1e}  {verdict}", flush=True)
        except Exception as error:  # Whatever stops one case must not hide the others.
            verdict = PEERS_CANNOT.get(case.name) or f"{type(error).__name__}: {error}"
            print(f"{case.name:45} {'':9}  {verdict}", flush=True)
        failed += verdict != "equal" and case.name not in PEERS_CANNOT
    if failed:
        sys.exit(f"{failed} not equal")


if __name__ == "__main__":
    main()
