"""Bootstrap intervals from scipy and exact permutation tests, by retune's names of metrics.

The metrics are plain numpy here, as checks and warnings of scikit-learn's would take an hour; other files hold retune's to them.

Classes are drawn class by class: scipy is given the items of each class as a sample of its own. Few items, so that its
jackknife and retune's leave out the same ones, and so that skewness matters. Permutation tests go over all exchanges.
"""

import warnings

import numpy as np
import scipy
from scipy import stats

RESAMPLES = 20_000


def collect():
    """Tensors: the inputs of each problem; the JSON holds intervals and p values."""
    tensors, cases = {}, []
    for name, problem, arrays, statistics in problems():
        tensors |= {f"{name}/{key}": array for key, array in arrays.items()}
        values = {}
        for metric, statistic in statistics.items():
            values[metric] = {
                "bca": interval(arrays["target"], problem, statistic(arrays["scores"].astype(np.float64)), "BCa"),
                "percentile": interval(arrays["target"], problem, statistic(arrays["scores"].astype(np.float64)), "percentile"),
                "difference": interval(
                    arrays["target"], problem, difference(statistic, arrays["scores"], arrays["other_scores"]), "BCa"
                ),
                "p_value": p_value(statistic, arrays["scores"], arrays["other_scores"]),
            }
        cases.append({"case": name, "problem": problem, "values": values})
    return tensors, {
        "source": {"scipy": scipy.__version__},
        "resamples": RESAMPLES,
        "tolerance_in_widths": 0.06,
        "tolerance_of_p_value": 0.03,
        "cases": cases,
    }


def problems():
    rng = np.random.default_rng(53)
    n = 12
    target = np.array([0] * 5 + [1] * 4 + [2] * 3, np.int32)
    yield "few_classes", "multiclass", *classes(rng, rng.permutation(target), 3)
    target = (rng.uniform(size=90) < 0.2).astype(np.int32)
    yield "rare_class", "multiclass", *classes(rng, target, 2)
    for name, n, noise in (("few_values", 12, 1.0), ("values", 80, 0.5)):
        target = rng.gamma(1.0, 2.0, n)
        arrays = {
            "target": target,
            "scores": target + noise * rng.normal(0, 1, n),
            "other_scores": target + 1.5 * noise * rng.normal(0, 1, n),
        }
        arrays = {key: array.astype(np.float32) for key, array in arrays.items()}
        t = arrays["target"].astype(np.float64)
        t = arrays["target"].astype(np.float64)

        def squared(s, t=t):
            errors = (t - s) ** 2
            return lambda i: errors[i].mean()

        def r2(s, t=t):
            errors = (t - s) ** 2
            return lambda i: 1 - errors[i].sum() / ((t[i] - t[i].mean()) ** 2).sum()

        def pearson(s, t=t):
            return lambda i: np.corrcoef(t[i], s[i])[0, 1]

        def spearman(s, t=t):
            return lambda i: np.corrcoef(stats.rankdata(t[i]), stats.rankdata(s[i]))[0, 1]

        statistics = {"mean-squared-error": squared, "r2": r2, "pearson": pearson, "spearman": spearman}
        yield name, "regression", arrays, statistics


def classes(rng, target, count):
    def scores(sureness):
        logits = rng.normal(0, 1, (len(target), count)) + sureness * np.eye(count)[target]
        return (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)

    arrays = {"target": target, "scores": scores(1.5), "other_scores": scores(1.0)}

    def log_loss(s):
        losses = -np.log(s[np.arange(len(target)), target])
        return lambda i: losses[i].mean()

    def confusion(s):
        cell = count * target + s.argmax(axis=1)
        return lambda i: np.bincount(cell[i], minlength=count * count).reshape(count, count)

    def f1(s):
        matrix = confusion(s)

        def of(i):
            c = matrix(i)
            divisor = c.sum(axis=0) + c.sum(axis=1)
            return np.mean(2 * np.diag(c) / np.maximum(divisor, 1))

        return of

    def correlation(s):
        matrix = confusion(s)

        def of(i):
            c = matrix(i)
            t, a, n = c.sum(axis=1), c.sum(axis=0), len(i)
            spread = (n * n - t @ t) * (n * n - a @ a)
            return (n * np.trace(c) - t @ a) / np.sqrt(spread) if spread > 0 else 0.0

        return of

    def area(s):
        def of(i):
            yes, ranks = target[i] == 1, stats.rankdata(s[i, 1])
            n = yes.sum()
            return (ranks[yes].sum() - n * (n + 1) / 2) / (n * (len(i) - n))

        return of

    return arrays, {
        "log-loss": log_loss,
        "f1-macro": f1,
        "matthews-correlation": correlation,
        "roc-auc-class-1": area,
    }


def difference(statistic, scores, other):
    first, second = statistic(scores.astype(np.float64)), statistic(other.astype(np.float64))
    return lambda i: second(i) - first(i)


def interval(target, problem, statistic, method):
    """`[low, high]`; the samples are places of items."""
    places = np.arange(len(target))
    samples = [places[target == c] for c in np.unique(target)] if problem == "multiclass" else [places]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = stats.bootstrap(
            samples,
            lambda *drawn: statistic(np.concatenate(drawn)),
            n_resamples=RESAMPLES,
            vectorized=False,
            method=method,
            rng=np.random.default_rng(1),
        ).confidence_interval
    return [float(found.low), float(found.high)]


def p_value(statistic, scores, other):
    """Over all exchanges of items between the models, for at most 12 items; of more, null."""
    n = len(scores)
    if n > 12:
        return None
    everything, differences = np.arange(n), []
    for exchange in range(2**n):
        exchanged = (exchange >> everything & 1).astype(bool).reshape(-1, *[1] * (scores.ndim - 1))
        a, b = np.where(exchanged, other, scores), np.where(exchanged, scores, other)
        differences.append(statistic(b)(everything) - statistic(a)(everything))
    differences = np.abs(differences)
    return float(np.mean(differences >= differences[0] - 1e-12))
