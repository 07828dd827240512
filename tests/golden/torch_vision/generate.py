"""Writes the cases beside this file; names given as arguments, or parts of them, make only those."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from generator import vision  # noqa: E402

vision.run(Path(__file__).parent, sys.argv[1:])
