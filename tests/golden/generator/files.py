"""Writes files whose bytes depend on their content only: no dates, no addresses of objects in memory."""

import io
import json
import re
import zipfile
from pathlib import Path

import h5py
import numpy as np
from safetensors.numpy import save_file

ZIP_DATE = (2026, 1, 1, 0, 0, 0)
SAVED_DATE = "2026-01-01@00:00:00"


def write_json(path: Path, value) -> None:
    """Writes `value` as indented JSON; lists of plain numbers and strings stay on one line."""
    text = json.dumps(value, indent=1)
    text = re.sub(r"\[\n\s+([^\[\]{}]*?)\n\s+\]", lambda m: "[" + re.sub(r",\n\s+", ", ", m.group(1)) + "]", text)
    path.write_text(text + "\n")


def write_tensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Writes named arrays as safetensors, scalars with an empty shape."""
    save_file({name: np.asarray(array, order="C").copy() for name, array in tensors.items()}, path)
    path.chmod(0o644)


def write_keras(path: Path, model, compress: bool) -> None:
    """Saves `model` as `.keras` with fixed dates and with shared-object identities numbered by first appearance.

    Keras stores the members of the archive; `compress` deflates them instead, which readers must accept just as well.
    """
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method, compresslevel=9) as archive:
        for name, content in members:
            if name == "metadata.json":
                content = json.dumps(json.loads(content) | {"date_saved": SAVED_DATE}).encode()
            elif name == "config.json":
                content = number_shared_objects(content.decode()).encode()
            archive.writestr(zipfile.ZipInfo(name, ZIP_DATE), content, method, 9)


def number_shared_objects(config: str) -> str:
    """Replaces each `shared_object_id` (an address in memory) by a small number, in order of first appearance."""
    numbers: dict[str, int] = {}

    def number(match):
        return f'"shared_object_id": {numbers.setdefault(match.group(1), len(numbers) + 1)}'

    return re.sub(r'"shared_object_id": (\d+)', number, config)


def stored_arrays(path: Path) -> list[tuple[str, np.ndarray]]:
    """Every dataset of a `.keras` archive or of an HDF5 file, with its path there."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            source = io.BytesIO(archive.read("model.weights.h5"))
    else:
        source = path
    found = []
    with h5py.File(source) as file:
        file.visititems(lambda name, item: found.append((name, item[()])) if isinstance(item, h5py.Dataset) else None)
    return found
