"""Adapters of PEFT on a small encoder: the folders that PEFT writes, and what the models compute."""

import json
import shutil
from pathlib import Path

import torch
from peft import IA3Config, LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageClassification, AutoModelForSequenceClassification

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

# Networks for images: the base, what is adapted, and the head.
CONVOLUTIONS = {
    "lora_resnet": ("resnet_transformers_bottleneck", LoraConfig(
        r=2, lora_alpha=3, target_modules=["convolution"], modules_to_save=["classifier"],
    )),
}

# Virtual tokens: the base, and the kind.
VIRTUAL = {
    "prompt": (BASE, PromptTuningConfig),
    "prompt_roberta": ("roberta_classification", PromptTuningConfig),
    "prompt_mpnet": ("mpnet_classification", PromptTuningConfig),
    "prompt_modern_bert": ("modern_bert_classification", PromptTuningConfig),
    "prompt_deberta": ("deberta_classification", PromptTuningConfig),
    "prefix": (BASE, PrefixTuningConfig),
    "prefix_roberta": ("roberta_classification", PrefixTuningConfig),
    "prefix_electra": ("electra_classification", PrefixTuningConfig),
}

# Terms that begin with the principal part of the weights, which are then without it.
PRINCIPAL = {
    "pissa": LoraConfig(task_type="SEQ_CLS", r=2, lora_alpha=3, target_modules=ATTENTION, init_lora_weights="pissa"),
    "pissa_rank_stabilized": LoraConfig(
        task_type="SEQ_CLS", r=2, lora_alpha=3, target_modules=ATTENTION, init_lora_weights="pissa", use_rslora=True,
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
    save(model, path, BASE)
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
    write_case(model, output, case["cotangent"], path)


def save(model, path, base, **arguments):
    """What PEFT writes, without what differs from run to run."""
    shutil.rmtree(path, ignore_errors=True)
    model.save_pretrained(path, **arguments)
    (path / "README.md").unlink()
    config = json.loads((path / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = base
    for key in ("peft_version", "revision"):
        config.pop(key, None)
    for key, value in config.items():
        if key in ("target_modules", "feedforward_modules") and isinstance(value, list):
            config[key] = sorted(value)
    (path / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def write_case(model, output, cotangent, path):
    (output * cotangent).sum().backward()
    tensors = {"output": output.detach()}
    for parameter_name, parameter in model.named_parameters():
        if parameter.requires_grad:
            short = parameter_name.removeprefix("base_model.").removeprefix("model.")
            short = short.replace(".default", "").replace("modules_to_save.", "")
            short = short.replace("prompt_encoder.embedding.weight", "prompt_embeddings")
            tensors[f"grad/{short}"] = parameter.grad
    save_file({key: value.contiguous() for key, value in tensors.items()}, path / "case.safetensors")


def make_convolutions(folder, name):
    base_name, config = CONVOLUTIONS[name]
    base = Path(folder).parent / "torch_vision" / base_name
    torch.manual_seed(seed_of(name))
    model = get_peft_model(AutoModelForImageClassification.from_pretrained(base), config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.randn_like(parameter) * 0.3)
    path = Path(folder) / name
    save(model, path, base_name)
    case = load_file(base / "case.safetensors")
    output = model(pixel_values=case["images"].permute(0, 3, 1, 2).contiguous()).logits
    write_case(model, output, case["cotangent"], path)


def make_principal(folder, name):
    """The terms at first; then other values of them and of the head as an adapter of the untouched base."""
    base = Path(folder).parent / "transformers" / BASE
    torch.manual_seed(seed_of(name))
    model = get_peft_model(AutoModelForSequenceClassification.from_pretrained(base), PRINCIPAL[name]).eval()
    path = Path(folder) / name
    layers = {key.removeprefix("base_model.model."): layer for key, layer in model.named_modules() if hasattr(layer, "lora_A")}
    first = {f"first/{key}": layer.get_delta_weight("default").detach() for key, layer in layers.items()}
    model.peft_config["default"].init_lora_weights = True
    model.save_pretrained(path / "first")
    with torch.no_grad():
        for key, layer in layers.items():
            for part in ("lora_A", "lora_B"):
                weight = getattr(layer, part)["default"].weight
                weight.add_(torch.randn_like(weight) * 0.1)
                first[f"trained/{key}.{part}.weight"] = weight.detach().clone()
    model.peft_config["default"].init_lora_weights = "pissa"
    initial = path.with_name(name + "_first")
    shutil.rmtree(initial, ignore_errors=True)
    (path / "first").rename(initial)
    save(model, path, BASE, path_initial_model_for_weight_conversion=str(initial))
    shutil.rmtree(initial)
    save_file({key: value.contiguous() for key, value in first.items()}, path / "case.safetensors")


def make_virtual(folder, name):
    base_name, kind = VIRTUAL[name]
    base = Path(folder).parent / "transformers" / base_name
    torch.manual_seed(seed_of(name))
    model = AutoModelForSequenceClassification.from_pretrained(base)
    model = get_peft_model(model, kind(task_type="SEQ_CLS", num_virtual_tokens=3)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.randn_like(parameter) * 0.3)
    path = Path(folder) / name
    save(model, path, base_name)
    case = load_file(base / "case.safetensors")
    lengths = case["lengths"].tolist()
    ids = torch.full((len(lengths), max(lengths)), model.config.pad_token_id or 0)
    types, mask = torch.zeros_like(ids), torch.zeros_like(ids)
    at = 0
    for row, length in enumerate(lengths):
        ids[row, :length] = case["token_ids"][at : at + length].long()
        if "token_types" in case:
            types[row, :length] = case["token_types"][at : at + length].long()
        mask[row, :length] = 1
        at += length
    more = {"token_type_ids": types} if "token_types" in case else {}
    output = model(input_ids=ids, attention_mask=mask, **more).logits
    write_case(model, output, case["cotangent"], path)


def run(folder):
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    for name in CASES:
        make(folder, name)
    for name in CONVOLUTIONS:
        make_convolutions(folder, name)
    for name in PRINCIPAL:
        make_principal(folder, name)
    for name in VIRTUAL:
        make_virtual(folder, name)
