"""Correlations from scipy and errors from scikit-learn: values with ties, several outputs, a constant, integer weights.

scipy's correlations take no weights; an item of weight 2 is given to it twice.
"""

import warnings

import numpy as np
import scipy
import sklearn
from scipy import stats
from sklearn import metrics as m


def collect():
    """Tensors: the inputs of each problem; the JSON holds what every metric makes of them."""
    tensors, cases = {}, []
    rng = np.random.default_rng(43)
    for name, n, outputs, levels in (
        ("plain", 30, 1, None),
        ("ties", 60, 1, 5),
        ("many_ties", 60, 1, 2),
        ("three_outputs", 40, 3, 8),
        ("two_items", 2, 1, None),
        ("constant_target", 20, 1, 4),
        ("constant_prediction", 20, 1, 4),
    ):
        target = rng.normal(5, 2, (n, outputs))
        predicted = target + rng.normal(0, 2, target.shape)
        if levels:
            target, predicted = (np.round(values * levels / 8) for values in (target, predicted))
        if name == "constant_target":
            target[:] = 0.1
        if name == "constant_prediction":
            predicted[:] = 0.1
        target, predicted = target.astype(np.float32), predicted.astype(np.float32)
        # Both of two items stay, for otherwise nothing is defined.
        weight = rng.integers(1 if n == 2 else 0, 4, n).astype(np.float32)
        arrays = {"target": target, "predicted": predicted, "sample_weight": weight}
        tensors |= {f"{name}/{key}": array for key, array in arrays.items()}
        values = {key: both(target, predicted, w) for key, w in (("unweighted", np.ones(n)), ("weighted", weight))}
        cases.append({"case": name, "values": values})
    return tensors, {
        "source": {"scikit-learn": sklearn.__version__, "scipy": scipy.__version__},
        "tolerance": {"rtol": 1e-9, "atol": 1e-12},
        "cases": cases,
    }


def both(target, predicted, weight):
    """Undefined values as null; of several outputs the mean."""
    target, predicted = target.astype(np.float64), predicted.astype(np.float64)
    repeats = weight.astype(int)
    t, p = np.repeat(target, repeats, axis=0), np.repeat(predicted, repeats, axis=0)
    columns = range(target.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        values = {
            "pearson": np.mean([stats.pearsonr(t[:, c], p[:, c]).statistic for c in columns]),
            "spearman": np.mean([stats.spearmanr(t[:, c], p[:, c]).statistic for c in columns]),
        }
    values |= {
        "mean-squared-error": m.mean_squared_error(target, predicted, sample_weight=weight),
        "root-mean-squared-error": m.root_mean_squared_error(target, predicted, sample_weight=weight),
        "mean-absolute-error": m.mean_absolute_error(target, predicted, sample_weight=weight),
        "r2": m.r2_score(target, predicted, sample_weight=weight),
    }
    return {key: None if np.isnan(value) else float(value) for key, value in values.items()}
