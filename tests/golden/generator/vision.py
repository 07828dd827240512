"""Small networks for images with random weights, as torchvision, timm and transformers name their layers, and what they compute."""

import json
import shutil
from functools import partial
from pathlib import Path

import timm
import torch
import torch.nn.functional as F
import torchvision
import transformers
from safetensors.torch import load_file, save_file
from timm.models._efficientnet_builder import decode_arch_def
from timm.optim import param_groups_layer_decay
from torch import nn


def seed_of(name):
    return sum(ord(letter) * 31**place for place, letter in enumerate(name)) % 2**31


class CifarBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.new = stride, outputs - inputs

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if self.stride != 1 or self.new:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.new // 2, self.new // 2))
        return torch.relu(y + x)


class CifarResNet(nn.Module):
    """The network for CIFAR of the paper, with shortcuts that have no weights (option A)."""

    def __init__(self, blocks, widths, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        before = [widths[0], *widths]
        for stage, width in enumerate(widths):
            first = CifarBlock(before[stage], width, 1 if stage == 0 else 2)
            rest = [CifarBlock(width, width, 1) for _ in range(blocks - 1)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(first, *rest))
        self.linear = nn.Linear(widths[-1], classes)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def timm_resnet(block, widths, layers=(1, 2, 1, 1), **rest):
    return timm.models.resnet.ResNet(block, list(layers), num_classes=3, channels=widths, **rest)


def resnet_basic():
    return timm_resnet(timm.models.resnet.BasicBlock, (4, 8, 12, 16))


def resnext_bottleneck():
    return timm_resnet(timm.models.resnet.Bottleneck, (4, 8, 8, 8), cardinality=2, base_width=32)


def resnet_transformers(kind):
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 12, 16, 24], depths=[1, 2, 1, 1], layer_type=kind, num_labels=3,
        downsample_in_bottleneck=kind == "bottleneck",
    )  # fmt: skip
    return transformers.ResNetForImageClassification(config)


STAGES = [(1, 3, 1, 8), (2, 3, 2, 12), (2, 5, 2, 16), (2, 3, 2, 20), (2, 5, 1, 24), (2, 5, 2, 28), (2, 3, 1, 32)]


def exactly(channels, *_, **__):
    """Widths that are not rounded."""
    return channels


def mobilenet_v2_torchvision():
    repeats = [1, 2, 3, 4, 3, 3, 1]
    settings = [(widen, width, n, stride) for (widen, _, stride, width), n in zip(STAGES, repeats)]
    net = torchvision.models.MobileNetV2(num_classes=3, inverted_residual_setting=settings, round_nearest=4)
    net.features[18] = torchvision.ops.Conv2dNormActivation(32, 40, 1, activation_layer=nn.ReLU6)
    net.classifier[1] = nn.Linear(40, 3)
    return net


def efficientnet_torchvision():
    widths = [32, *(stage[3] for stage in STAGES)]
    blocks = [
        torchvision.models.efficientnet.MBConvConfig(widen, kernel, stride, before, width, 1 + (width == 12), 1.0, 1.0)
        for (widen, kernel, stride, width), before in zip(STAGES, widths)
    ]
    return torchvision.models.EfficientNet(blocks, dropout=0.2, num_classes=3, last_channel=40)


def efficientnet_timm(squeeze, padding, activation, epsilon, kernels=None):
    def stage(widen, kernel, stride, width):
        kind = "ds" if widen == 1 else "ir"
        return [f"{kind}_r{1 + (width == 12)}_k{kernels or kernel}_s{stride}_e{widen}_c{width}{squeeze}"]

    arguments = decode_arch_def([stage(*settings) for settings in STAGES])
    norm = partial(nn.BatchNorm2d, eps=epsilon)
    return timm.models.efficientnet.EfficientNet(
        arguments, num_classes=3, num_features=40, stem_size=8, pad_type=padding, act_layer=activation, norm_layer=norm,
        round_chs_fn=exactly,
    )  # fmt: skip


def lite_timm():
    return efficientnet_timm("", "same", nn.ReLU6, 1e-3)


def mobilenet_v2_transformers():
    config = transformers.MobileNetV2Config(
        depth_multiplier=0.1, depth_divisible_by=2, min_depth=4, expand_ratio=2.0, finegrained_output=False, num_labels=3
    )
    return transformers.MobileNetV2ForImageClassification(config)


def efficientnet_transformers():
    config = transformers.EfficientNetConfig(
        width_coefficient=0.1, depth_coefficient=0.5, depth_divisor=4, expand_ratios=[1, 2, 2, 2, 2, 2, 2], hidden_dim=128,
        image_size=32, num_labels=3,
    )  # fmt: skip
    return transformers.EfficientNetForImageClassification(config)


def mobilenet_v3_timm():
    stages = [
        ["ds_r1_k3_s2_e1_c8_se0.25_nre"],
        ["ir_r1_k3_s2_e2_c12_nre", "ir_r1_k3_s1_e2_c12_nre"],
        ["ir_r1_k5_s2_e2_c16_se0.25", "ir_r2_k5_s1_e2_c16_se0.25"],
        ["ir_r2_k5_s1_e2_c20_se0.25"],
        ["ir_r3_k5_s2_e2_c24_se0.25"],
        ["cn_r1_k1_s1_c40"],
    ]
    return timm.models.mobilenetv3.MobileNetV3(
        decode_arch_def(stages), num_classes=3, num_features=32, stem_size=8, act_layer=nn.Hardswish, round_chs_fn=exactly,
        se_layer=partial(timm.models._efficientnet_blocks.SqueezeExcite, gate_layer="hard_sigmoid", force_act_layer=nn.ReLU),
    )  # fmt: skip


def mobilenet_v3_torchvision():
    block = partial(torchvision.models.mobilenetv3.InvertedResidualConfig, dilation=1, width_mult=1.0)
    rows = [
        # kernel, widened, width, squeeze, activation, stride
        (3, 8, 8, True, "RE", 2), (3, 16, 16, False, "RE", 2), (3, 24, 16, False, "RE", 1), (5, 24, 16, True, "HS", 2),
        *[(5, 24, 16, True, "HS", 1)] * 2, *[(5, 32, 24, True, "HS", 1)] * 2, (5, 32, 24, True, "HS", 2),
        *[(5, 32, 24, True, "HS", 1)] * 2,
    ]  # fmt: skip
    widths = [8, *(row[2] for row in rows)]
    settings = [
        block(before, kernel, widened, width, squeeze, activation, stride)
        for before, (kernel, widened, width, squeeze, activation, stride) in zip(widths, rows)
    ]
    return torchvision.models.MobileNetV3(settings, last_channel=32, num_classes=3)


def vit_transformers(config, model):
    sizes = dict(num_hidden_layers=2, hidden_size=16, num_attention_heads=2, intermediate_size=24, image_size=16, patch_size=4)
    return model(config(**sizes, num_labels=3))


def vit_timm():
    return timm.models.vision_transformer.VisionTransformer(
        img_size=16, patch_size=4, embed_dim=64, depth=1, num_heads=1, mlp_ratio=0.5, num_classes=3
    )


def vit_torchvision():
    return torchvision.models.VisionTransformer(16, 4, 1, 1, 64, 32, num_classes=3)


def convnext_transformers():
    config = transformers.ConvNextConfig(depths=[1, 2], hidden_sizes=[8, 12], num_stages=2, num_labels=3)
    return transformers.ConvNextForImageClassification(config)


def convnext_timm():
    return timm.models.convnext.ConvNeXt(num_classes=3, depths=(1, 2, 1, 1), dims=(4, 8, 12, 16))


def convnext_torchvision():
    block = torchvision.models.convnext.CNBlockConfig
    return torchvision.models.ConvNeXt([block(8, 12, 1), block(12, None, 2)], num_classes=3)


def swin_transformers():
    config = transformers.SwinConfig(
        image_size=24, patch_size=2, embed_dim=8, depths=[2, 2], num_heads=[2, 4], window_size=4, num_labels=3, drop_path_rate=0.0
    )
    return transformers.SwinForImageClassification(config)


def swin_timm():
    return timm.models.swin_transformer.SwinTransformer(
        img_size=64, patch_size=2, embed_dim=8, depths=(2, 2), num_heads=(2, 4), window_size=4, num_classes=3, mlp_ratio=2.0
    )


def renamed_as_efficientnet_pytorch(state):
    """Names of timm as efficientnet_pytorch has them."""
    blocks = sorted({tuple(map(int, name.split(".")[1:3])) for name in state if name.startswith("blocks.")})
    inverted = {
        "conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1",
        "se.conv_reduce": "_se_reduce", "se.conv_expand": "_se_expand", "conv_pwl": "_project_conv", "bn3": "_bn2",
    }  # fmt: skip
    separable = inverted | {"bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
    outside = {
        "conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc",
    }  # fmt: skip

    def renamed(name):
        layer, _, part = name.rpartition(".")
        if not layer.startswith("blocks."):
            return f"{outside[layer]}.{part}"
        _, stage, block, layer = layer.split(".", 3)
        place = int(stage), int(block)
        names = inverted if f"blocks.{stage}.{block}.conv_pwl.weight" in state else separable
        return f"_blocks.{blocks.index(place)}.{names[layer]}.{part}"

    return {renamed(name): value for name, value in state.items()}


# Name: the network, how it is written, the images' size.
CASES = {
    "resnet_torchvision": (resnet_basic, "model.pth", 32),
    "resnext_timm": (resnext_bottleneck, "model.safetensors", 32),
    "resnet_cifar": (lambda: CifarResNet(2, (4, 8, 12), 3), "model.th", 16),
    "resnet_transformers_basic": (lambda: resnet_transformers("basic"), "folder", 32),
    "resnet_transformers_bottleneck": (lambda: resnet_transformers("bottleneck"), "folder", 32),
    "mobilenet_v2_torchvision": (mobilenet_v2_torchvision, "model.pth", 48),
    "mobilenet_v3_torchvision": (mobilenet_v3_torchvision, "model.pth", 48),
    "mobilenet_v3_timm": (mobilenet_v3_timm, "model.safetensors", 48),
    "efficientnet_torchvision": (efficientnet_torchvision, "model.pth", 48),
    "mobilenet_v2_timm": (lambda: efficientnet_timm("", "", nn.ReLU6, 1e-5, kernels=3), "model.safetensors", 48),
    "efficientnet_timm": (lambda: efficientnet_timm("_se0.25", "", nn.SiLU, 1e-5), "model.safetensors", 48),
    "efficientnet_lite_timm": (lite_timm, "tf_efficientnet_lite0", 49),
    "efficientnet_lite_pytorch": (lite_timm, "efficientnet.pth", 49),
    "mobilenet_v2_transformers": (mobilenet_v2_transformers, "folder", 48),
    "efficientnet_transformers": (efficientnet_transformers, "folder", 32),
    "vit_transformers": (
        lambda: vit_transformers(transformers.ViTConfig, transformers.ViTForImageClassification), "folder", 16,
    ),
    "deit_transformers": (
        lambda: vit_transformers(transformers.DeiTConfig, transformers.DeiTForImageClassification), "folder", 16,
    ),
    "vit_timm": (vit_timm, "model.safetensors", 16),
    "vit_torchvision": (vit_torchvision, "model.pth", 16),
    "convnext_transformers": (convnext_transformers, "folder", 16),
    "convnext_timm": (convnext_timm, "model.safetensors", 64),
    "convnext_torchvision": (convnext_torchvision, "model.pth", 16),
    # Windows that do not fill the image evenly, and a stage of less than two windows.
    "swin_transformers": (swin_transformers, "folder", 24),
    "swin_timm": (swin_timm, "model.safetensors", 64),
}


def randomize(model):
    """Values of a size that lets every layer matter."""
    with torch.no_grad():
        for module in model.modules():
            for name, parameter in module.named_parameters(recurse=False):
                values = torch.randn_like(parameter)
                if parameter.dim() > 1 and "scale" not in name:
                    fan = parameter[0].numel() if parameter.dim() != 3 else 1
                    values *= (1.5 / fan) ** 0.5
                elif isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)) and name == "weight" or "gamma" in name or "scale" in name:
                    values = 1 + 0.2 * values
                else:
                    values *= 0.2
                parameter.copy_(values)
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.copy_(torch.randn_like(module.running_mean) * 0.2)
                module.running_var.copy_(torch.rand_like(module.running_var) + 0.5)
                module.num_batches_tracked.fill_(7)


def logits(model, images):
    result = model(images)
    return getattr(result, "logits", result)


def names_in_file(kind, model, path):
    """For each tensor of the model its name in the file."""
    if kind == "efficientnet.pth":
        own = renamed_as_efficientnet_pytorch({name: name for name in model.state_dict()})
        return {name: renamed for renamed, name in own.items()}
    if kind != "folder":
        return {name: name for name in model.state_dict()}
    # transformers changes names when it writes: equal values, which are random, tell which is which.
    stored = load_file(path / "model.safetensors")
    same = lambda a, b: a.shape == b.shape and torch.equal(a, b)  # noqa: E731
    return {
        name: name if name in stored else next(other for other in stored if same(stored[other], value))
        for name, value in model.state_dict().items()
    }


def write_timm(model, path, architecture):
    """A folder as timm has it on the Hub."""
    settings = dict(num_classes=3, input_size=[3, 49, 49], mean=[0.5] * 3, std=[0.5] * 3, crop_pct=0.9, interpolation="bilinear")
    config = dict(architecture=architecture, num_classes=3, label_names=["ant", "bee", "cat"], pretrained_cfg=settings)
    (path / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file(model.state_dict(), path / "model.safetensors")


def write(model, path, kind):
    if kind == "folder":
        model.save_pretrained(path)
        config = json.loads((path / "config.json").read_text())
        config.pop("transformers_version", None)
        (path / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    elif kind == "model.th":
        state = {f"module.{name}": value for name, value in model.state_dict().items()}
        torch.save({"state_dict": state, "best_prec1": 91.5}, path / kind)
    elif kind.endswith(".pth"):
        names = names_in_file(kind, model, path)
        torch.save({names[name]: value for name, value in model.state_dict().items()}, path / "model.pth")
    elif "." not in kind:
        write_timm(model, path, kind)
    else:
        save_file(model.state_dict(), path / kind)


def make(folder, name):
    build, kind, side = CASES[name]
    torch.manual_seed(seed_of(name))
    model = build().eval()
    randomize(model)
    path = Path(folder) / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    write(model, path, kind)
    images = torch.randn(3, 3, side, side)
    output = logits(model, images)
    cotangent = torch.randn_like(output)
    (output * cotangent).sum().backward()
    tensors = {
        "images": images.permute(0, 2, 3, 1),
        "output": output.detach(),
        "cotangent": cotangent,
    }
    names = names_in_file(kind, model, path)
    for parameter_name, parameter in model.named_parameters():
        if parameter.grad is not None:
            tensors[f"grad/{names[parameter_name]}"] = parameter.grad
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    # Stochastic depth is part of the network in training.
    if norms and name not in ("efficientnet_torchvision", "efficientnet_lite_pytorch", "efficientnet_transformers"):
        # In training, with dropout and stochastic depth left out: what the moving statistics become.
        for norm in norms:
            norm.train()
        with torch.no_grad():
            tensors["train_output"] = logits(model, images)
        for statistic, value in model.named_buffers():
            if statistic.rpartition(".")[2] in ("running_mean", "running_var"):
                tensors[f"statistic/{statistic}"] = value
    save_file({key: value.contiguous() for key, value in tensors.items()}, path / "case.safetensors")


def layer_scales(folder):
    """For each weight the factor of its learning rate in timm, which falls by half from group to group."""
    scales = {}
    for name in ("resnext_timm", "vit_timm"):
        model = CASES[name][0]()
        names = {id(parameter): parameter_name for parameter_name, parameter in model.named_parameters()}
        groups = param_groups_layer_decay(model, weight_decay=0.0, layer_decay=0.5)
        scales[name] = {names[id(weight)]: group["lr_scale"] for group in groups for weight in group["params"]}
    (Path(folder) / "layer_scales.json").write_text(json.dumps(scales, indent=1, sort_keys=True) + "\n")


def run(folder, parts=()):
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    for name in CASES:
        if not parts or any(part in name for part in parts):
            make(folder, name)
    if not parts:
        layer_scales(folder)
