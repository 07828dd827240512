"""Makes the golden files of transformers anew; see ../README.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from generator import text_encoders  # noqa: E402

text_encoders.run(Path(__file__).parent)
