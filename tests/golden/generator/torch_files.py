"""Small files as PyTorch saves them, with the values that PyTorch reads back."""

import argparse
import os
import tempfile
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

BOTH = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
        torch.uint8]  # fmt: skip
ZIP_ONLY = [torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2]


class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


def named(dtype) -> str:
    return str(dtype).removeprefix("torch.")


def types(dtypes) -> dict:
    tensors = OrderedDict((named(d), torch.tensor([[0, 1, 2], [3, 100, 64]]).to(d)) for d in dtypes)
    tensors["bool"] = torch.tensor([True, False, True])
    return tensors


def views() -> dict:
    x = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    tied = torch.nn.Parameter(torch.arange(6.0).reshape(3, 2))
    return OrderedDict(
        whole=x,
        transposed=x.permute(2, 0, 1),
        sliced=x[1:, ::2, 1::2],
        expanded=torch.tensor([[1.5], [2.5]]).expand(2, 4),
        empty=torch.zeros(0, 5),
        scalar=torch.tensor(2.5),
        step=torch.tensor(7),
        parameter=torch.nn.Parameter(torch.tensor([1.0, -1.0])),
        frozen=torch.nn.Parameter(torch.tensor([3.0]), requires_grad=False),
        encoder=tied,
        decoder=tied,
        half=torch.arange(5, dtype=torch.bfloat16)[2:],
    )


def training() -> dict:
    torch.manual_seed(0)
    net = torch.nn.DataParallel(torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2)))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.ones(2, 1, 4, 4)).sum().backward()
    optimizer.step()
    args = argparse.Namespace(lr=0.1, workers=4, name="tiny", milestones=[100, 150])
    return {
        "state_dict": net.state_dict(),
        "best_prec1": torch.tensor(91.5),
        "accuracy": np.float64(0.5),
        "epoch": 3,
        "arch": "tiny",
        "args": args,
        "optimizer": optimizer.state_dict(),
    }


class Script(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
        self.scale = torch.nn.Parameter(torch.tensor([2.0]))

    def forward(self, x):
        return self.inner(x) * self.scale


def save_script(script, path: Path) -> None:
    """Saves a TorchScript archive without its debugging tables, which name files of the machine at hand."""
    with tempfile.TemporaryDirectory() as temporary:
        whole = Path(temporary) / "script.pt"
        torch.jit.save(torch.jit.script(script), whole)
        with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w") as target:
            for member in source.infolist():
                if not member.filename.endswith(".debug_pkl"):
                    target.writestr(zipfile.ZipInfo(member.filename), source.read(member))


def expected(path: Path, tensors: dict) -> None:
    eight_bits = (torch.float8_e4m3fn, torch.float8_e5m2)
    plain = {}
    for name, tensor in tensors.items():
        if not tensor.is_complex():
            tensor = tensor.detach().to(torch.float16) if tensor.dtype in eight_bits else tensor.detach()
            plain[name] = tensor.clone(memory_format=torch.contiguous_format)
    save_file(plain, path)


def save(folder: Path, name: str, value, tensors: dict, zipped: bool) -> None:
    path = folder / name
    if zipped or not path.exists():
        torch.save(value, path, _use_new_zipfile_serialization=zipped)
    expected(folder / f"{name}.safetensors", tensors)


def write_cases(folder: Path) -> None:
    zipped = types(BOTH + ZIP_ONLY)
    zipped["complex64"] = torch.ones(2, dtype=torch.complex64)
    save(folder, "types_zip.pth", zipped, zipped, True)
    save(folder, "types_legacy.pth", types(BOTH), types(BOTH), False)
    save(folder, "views_zip.pth", views(), views(), True)
    save(folder, "views_legacy.pth", views(), views(), False)
    state = training()
    save(folder, "training_zip.pth", state, state["state_dict"], True)
    save(folder, "training_legacy.th", state, state["state_dict"], False)
    torch.manual_seed(0)
    script = Script().eval()
    if not (folder / "script.pt").exists():
        save_script(script, folder / "script.pt")
    expected(folder / "script.pt.safetensors", torch.jit.load(folder / "script.pt").state_dict())
    evil = {"w": torch.ones(1), "x": Evil()}
    torch.save(evil, folder / "evil_zip.pth")
    if not (folder / "evil_legacy.pth").exists():
        torch.save(evil, folder / "evil_legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(torch.nn.Linear(2, 2), folder / "model_zip.pth")
