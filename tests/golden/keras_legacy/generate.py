"""Writes every legacy case into this folder: `python tests/golden/keras_legacy/generate.py [substring of the name]`.

`../README.md` describes the files.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from generator import keras2, legacy  # noqa: E402


def main() -> None:
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    legacy.write_cases(HERE, wanted)
    keras2.write_cases(HERE, wanted)


if __name__ == "__main__":
    main()
