"""Makes the golden files of PEFT anew; see ../README.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from generator import adapters  # noqa: E402

adapters.run(Path(__file__).parent)
