"""Writes losses, optimizers, schedules and metrics into this folder: `python tests/golden/train/generate.py`.

`../README.md` describes the files.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from generator.files import write_json, write_tensors  # noqa: E402
from generator.train import classification, correlations, entities, intervals, losses, metrics, optimizers, schedules  # noqa: E402


def main() -> None:
    for module in (losses, optimizers, schedules, metrics, classification, correlations, entities, intervals):
        name = module.__name__.rsplit(".", 1)[1]
        tensors, about = module.collect()
        write_tensors(HERE / f"{name}.safetensors", tensors)
        write_json(HERE / f"{name}.json", about)
        print(f"{name}: {len(about['cases'])} cases")


if __name__ == "__main__":
    main()
