"""Small encoders of transformers with random weights: a model folder each, and what the model computes."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AlbertConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    MPNetConfig,
    RobertaConfig,
    XLMRobertaConfig,
)

SIZES = dict(vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24)
POSITIONS = dict(max_position_embeddings=12, type_vocab_size=2)
LENGTHS = [5, 1, 8]
# Of four texts, two pairs.
PAIRS = [5, 1, 8, 3]
# Longer than a band of queries and a panel of keys of retune's attention, and than all distances with a bucket of their own.
LONG = [150, 1, 70]
# Layers that see all and layers that see a window, as the published models mix them.
MODERN = {**SIZES, "num_hidden_layers": 4, "pad_token_id": 0, "local_attention": 9}
DISENTANGLED = dict(
    relative_attention=True, position_biased_input=False, pos_att_type=["p2c", "c2p"], type_vocab_size=0, layer_norm_eps=1e-7
)
# As DeBERTa-v3 has them, in small.
DEBERTA3 = {**SIZES, **DISENTANGLED, "share_att_key": True, "norm_rel_ebd": "layer_norm", "position_buckets": 8}
SEQUENCE, TOKEN, BARE = AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoModel

CASES = {
    "bert_classification": (BertConfig(**SIZES, **POSITIONS, num_labels=3, problem_type="single_label_classification"), SEQUENCE),
    "bert_multi_label": (BertConfig(**SIZES, **POSITIONS, num_labels=3, problem_type="multi_label_classification"), SEQUENCE),
    "bert_regression": (BertConfig(**SIZES, **POSITIONS, num_labels=1, problem_type="regression"), SEQUENCE),
    "bert_tokens": (BertConfig(**SIZES, **POSITIONS, num_labels=4), TOKEN),
    "bert_bare": (BertConfig(**SIZES, **POSITIONS), BARE),
    "bert_similarity": (BertConfig(**SIZES, **POSITIONS), BARE),
    "roberta_classification": (
        RobertaConfig(**SIZES, max_position_embeddings=14, type_vocab_size=1, pad_token_id=1, num_labels=3, layer_norm_eps=1e-5),
        SEQUENCE,
    ),
    "xlm_roberta_tokens": (
        XLMRobertaConfig(**SIZES, max_position_embeddings=14, type_vocab_size=1, pad_token_id=1, num_labels=3, layer_norm_eps=1e-5),
        TOKEN,
    ),
    "electra_classification": (ElectraConfig(**SIZES, **POSITIONS, embedding_size=8, num_labels=3), SEQUENCE),
    "albert_classification": (AlbertConfig(**SIZES, **POSITIONS, embedding_size=8, num_labels=3, hidden_act="gelu_new"), SEQUENCE),
    "distilbert_classification": (
        DistilBertConfig(vocab_size=40, dim=16, n_layers=2, n_heads=2, hidden_dim=24, max_position_embeddings=12, num_labels=3),
        SEQUENCE,
    ),
    "mpnet_classification": (MPNetConfig(**SIZES, max_position_embeddings=14, num_labels=3), SEQUENCE),
    "mpnet_tokens": (MPNetConfig(**SIZES, max_position_embeddings=152, num_labels=3), TOKEN),
    "mpnet_bare": (MPNetConfig(**SIZES, max_position_embeddings=14), BARE),
    "modern_bert_classification": (ModernBertConfig(**MODERN, num_labels=3), SEQUENCE),
    "modern_bert_mean": (
        ModernBertConfig(
            **MODERN, num_labels=3, classifier_pooling="mean", norm_bias=True, attention_bias=True, mlp_bias=True, classifier_bias=True
        ),
        SEQUENCE,
    ),
    "modern_bert_tokens": (ModernBertConfig(**MODERN, num_labels=3), TOKEN),
    "modern_bert_bare": (ModernBertConfig(**MODERN), BARE),
    "deberta_classification": (DebertaV2Config(**DEBERTA3, max_position_embeddings=12, num_labels=3), SEQUENCE),
    "deberta_tokens": (DebertaV2Config(**DEBERTA3, max_position_embeddings=160, num_labels=3), TOKEN),
    "deberta_bare": (DebertaV2Config(**DEBERTA3, max_position_embeddings=12), BARE),
    # Version 2's own products for positions, a width of embeddings, absolute positions and types.
    "deberta_unshared": (
        DebertaV2Config(
            **{**SIZES, **DISENTANGLED, "position_biased_input": True, "type_vocab_size": 2, "pos_att_type": ["c2p"]},
            max_position_embeddings=12,
            max_relative_positions=3,
            embedding_size=8,
            num_labels=3,
        ),
        SEQUENCE,
    ),
}

# Cases with sequences of other lengths.
CASE_LENGTHS = {"bert_similarity": PAIRS, "mpnet_tokens": LONG, "modern_bert_tokens": LONG, "deberta_tokens": LONG}
# Encoders without types of tokens.
UNTYPED = ["distilbert", "mpnet", "modernbert"]


def seed_of(name):
    return sum(ord(letter) * 31**place for place, letter in enumerate(name)) % 2**31


def batch(config, lengths):
    """Random sequences, padded as the peer needs them; the padding is not kept."""
    pad = config.pad_token_id or 0
    width = max(lengths)
    ids = torch.full((len(lengths), width), pad)
    types = torch.zeros_like(ids)
    mask = torch.zeros_like(ids)
    for row, length in enumerate(lengths):
        ids[row, :length] = torch.randint(3, 40, (length,))
        types[row, length // 2 : length] = max(getattr(config, "type_vocab_size", 2) - 1, 0)
        mask[row, :length] = 1
    return ids, types, mask.bool()


def make(folder, name):
    config, kind = CASES[name]
    torch.manual_seed(seed_of(name))
    model = kind.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3 + (1.0 if "LayerNorm.weight" in name else 0.0))
        if name == "bert_similarity":
            # Vectors that are not nearly the same: little of what norms add to all of them.
            for module in model.modules():
                if isinstance(module, torch.nn.LayerNorm):
                    torch.nn.init.ones_(module.weight)
                    module.bias.data.mul_(0.1)
    path = Path(folder) / name
    shutil.rmtree(path, ignore_errors=True)
    model.save_pretrained(path)
    lengths = CASE_LENGTHS.get(name, LENGTHS)
    ids, types, mask = batch(config, lengths)
    arguments = dict(input_ids=ids, attention_mask=mask.long())
    if config.model_type not in UNTYPED:
        arguments["token_type_ids"] = types
    result = model(**arguments)
    if kind is BARE:
        # The mean over the tokens of each sequence, as sentence-transformers takes it.
        weights = mask.unsqueeze(-1).float()
        output = (result.last_hidden_state * weights).sum(1) / weights.sum(1)
        if name == "bert_similarity":
            output = torch.cosine_similarity(output[0::2], output[1::2]).unsqueeze(1)
    else:
        output = result.logits[mask] if kind is TOKEN else result.logits
    cotangent = torch.randn_like(output)
    (output * cotangent).sum().backward()
    tensors = {
        "token_ids": ids[mask].int(),
        "token_types": types[mask].int(),
        "positions": torch.cat([torch.arange(length) for length in lengths]).int(),
        "lengths": torch.tensor(lengths).int(),
        "output": output.detach(),
        "cotangent": cotangent,
    }
    for parameter_name, parameter in model.named_parameters():
        if parameter.grad is not None:
            tensors[f"grad/{parameter_name}"] = parameter.grad
    save_file({key: value.contiguous() for key, value in tensors.items()}, path / "case.safetensors")
    config = json.loads((path / "config.json").read_text())
    config.pop("transformers_version", None)
    (path / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def token_loss(folder, name):
    """The loss of some labelled tokens and its gradients, as `AutoModelForTokenClassification` is trained."""
    path = Path(folder) / name
    model = AutoModelForTokenClassification.from_pretrained(path).eval()
    case = load_file(path / "case.safetensors")
    lengths = case["lengths"].tolist()
    rows = {key: case[key].long().split(lengths) for key in ("token_ids", "token_types")}
    ids, types = (torch.nn.utils.rnn.pad_sequence(rows[key], batch_first=True) for key in rows)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
    torch.manual_seed(seed_of(name) + 1)
    labels = torch.randint(model.config.num_labels, ids.shape)
    labels[:, 1::3] = -100
    labels[~mask] = -100
    result = model(input_ids=ids, attention_mask=mask.long(), token_type_ids=types, labels=labels)
    result.loss.backward()
    tensors = {"labels": labels[mask].int(), "loss": result.loss.detach().reshape(1)}
    tensors |= {f"grad/{key}": p.grad for key, p in model.named_parameters() if p.grad is not None}
    save_file({key: value.contiguous() for key, value in tensors.items()}, path / "loss.safetensors")


def run(folder):
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    for name in CASES:
        make(folder, name)
    token_loss(folder, "bert_tokens")
