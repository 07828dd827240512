"""Writes the files of this folder: `python tests/golden/tokenizers/generate.py`.

`README.md` describes them.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from generator import tokenizers  # noqa: E402

if __name__ == "__main__":
    tokenizers.write_cases(HERE)
