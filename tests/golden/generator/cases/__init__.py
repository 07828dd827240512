"""The Keras cases, one file per family of layers; each file has a function `cases()`."""

from . import (
    activation,
    attention,
    convolution,
    dense,
    merging,
    network,
    noise,
    normalization,
    pooling,
    preprocessing,
    recurrent,
    reshaping,
    wrapper,
)

FAMILIES = [
    dense,
    activation,
    convolution,
    pooling,
    normalization,
    noise,
    reshaping,
    merging,
    recurrent,
    wrapper,
    attention,
    preprocessing,
    network,
]


def all_cases():
    """Every case, with its group set to the name of its file; names are unique."""
    found = []
    for family in FAMILIES:
        for case in family.cases():
            case.group = family.__name__.rsplit(".", 1)[1]
            found.append(case)
    names = [case.name for case in found]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise ValueError(f"case names used twice: {sorted(repeated)}")
    return found
