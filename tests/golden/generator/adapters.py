"""Adapters of PEFT on a small encoder: the folders that PEFT writes, and what the models compute."""

import json
import shutil
from pathlib import Path

import torch
from peft import IA3Config, LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

from .text_encoders import LENGTHS, seed_of

BASE = "bert_classification"
ATTENTION = ["query", "value"]

CASES = {
    "lora": LoraConfig(task_type="SEQ_CLS", r=4, lora_alpha=6, target_modules=ATTENTION),
    "lora_ranks": LoraConfig(
        task_type="SEQ_CLS", r=2, lora_alpha=6, target_modules=[*ATTENTION, "intermediate.dense"],
        rank_pattern={"encoder.layer.1.attention.self.query": 3}, use_rslora=True,
    ),
    "dora": LoraConfig(task_type="SEQ_CLS", r=4, lora_alpha=6, target_modules=ATTENTION, use_dora=True),
    "ia3": IA3Config(
        task_type="SEQ_CLS", target_modules=["key", "value", "intermediate.dense"], feedforward_modules=["intermediate.dense"],
    ),
}


def make(folder, name):
    base = Path(folder).parent / "transformers" / BASE
    torch.manual_seed(seed_of(name))
    model = get_peft_model(AutoModelForSequenceClassification.from_pretrained(base), CASES[name]).eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if "magnitude" in parameter_name or "ia3" in parameter_name:
                parameter.mul_(1 + 0.3 * torch.randn_like(parameter))
            elif parameter.requires_grad:
                parameter.copy_(torch.randn_like(parameter) * 0.3)
    path = Path(folder) / name
    shutil.rmtree(path, ignore_errors=True)
    model.save_pretrained(path)
    (path / "README.md").unlink()
    config = json.loads((path / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = BASE
    for key in ("peft_version", "revision"):
        config.pop(key, None)
    for key, value in config.items():
        if key in ("target_modules", "feedforward_modules") and isinstance(value, list):
            config[key] = sorted(value)
    (path / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")

    case = load_file(base / "case.safetensors")
    width = max(LENGTHS)
    ids, types, mask = (torch.zeros(len(LENGTHS), width, dtype=torch.long) for _ in range(3))
    at = 0
    for row, length in enumerate(LENGTHS):
        ids[row, :length] = case["token_ids"][at : at + length].long()
        types[row, :length] = case["token_types"][at : at + length].long()
        mask[row, :length] = 1
        at += length
    output = model(input_ids=ids, attention_mask=mask, token_type_ids=types).logits
    (output * case["cotangent"]).sum().backward()
    tensors = {"output": output.detach()}
    for parameter_name, parameter in model.named_parameters():
        if parameter.requires_grad:
            short = parameter_name.removeprefix("base_model.model.").replace(".default", "").replace("modules_to_save.", "")
            tensors[f"grad/{short}"] = parameter.grad
    save_file({key: value.contiguous() for key, value in tensors.items()}, path / "case.safetensors")


def run(folder):
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    for name in CASES:
        make(folder, name)
