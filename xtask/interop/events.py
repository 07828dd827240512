"""Reads the event files of a run with TensorBoard's own reader, and compares them with its `metrics.jsonl`."""

import json
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def expected(run: Path) -> dict[str, list[tuple[int, float]]]:
    """The scalars that a log stands for, by tag."""
    scalars: dict[str, list[tuple[int, float]]] = {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        entry = json.loads(line)
        values = {}
        if entry["kind"] == "step":
            values["train/loss"] = entry["loss"]
            values["train/gradient_norm"] = entry["gradient-norm"]
            values["learning_rate"] = entry["learning-rate"]
        else:
            values["epoch/loss"] = entry["train"]["loss"]
            values["epoch/accuracy"] = entry["train"]["accuracy"]
            values.update({f"validation/{name}": value for name, value in entry["validation"].items()})
        for tag, value in values.items():
            scalars.setdefault(tag, []).append((entry["step"], value))
    return scalars


def main() -> None:
    run = Path(sys.argv[1])
    events = EventAccumulator(str(run), size_guidance={"scalars": 0})
    events.Reload()
    wanted = expected(run)
    assert sorted(events.Tags()["scalars"]) == sorted(wanted), (events.Tags()["scalars"], sorted(wanted))
    compared = 0
    for tag, points in wanted.items():
        found = [(event.step, event.value) for event in events.Scalars(tag)]
        assert len(found) == len(points), (tag, found, points)
        for (step, value), (expected_step, expected_value) in zip(found, points):
            # Event files hold 32 bits.
            assert step == expected_step and abs(value - expected_value) <= 1e-6 * max(1.0, abs(expected_value)), tag
            compared += 1
    assert compared > 10, compared
    print(f"TensorBoard reads {compared} values under {len(wanted)} tags as they were logged")


if __name__ == "__main__":
    main()
