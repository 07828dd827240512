"""Makes the golden file of torchvision's changes of images anew; see ../README.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from generator import augment  # noqa: E402

augment.run(Path(__file__).parent)
