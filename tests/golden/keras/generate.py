"""Writes every Keras case into this folder: `python tests/golden/keras/generate.py [substring of the name]`.

Each case is a folder with `model.keras`, `case.safetensors` and `case.json`; `../README.md` describes them.
"""

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from generator.cases import all_cases  # noqa: E402
from generator.record import write_case  # noqa: E402


def main() -> None:
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    cases = all_cases()
    if not wanted:
        names = {case.name for case in cases}
        for folder in HERE.iterdir():
            if folder.is_dir() and (folder / "model.keras").exists() and folder.name not in names:
                shutil.rmtree(folder)
    chosen = [case for case in cases if wanted in case.name]
    failed = 0
    for case in chosen:
        try:
            write_case(case, HERE / case.name)
        except Exception as error:
            failed += 1
            print(f"{case.name}: {error}", file=sys.stderr)
    print(f"{len(chosen) - failed} cases written, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
