"""Feeds models with what they were not trained on, and prints what raises an error and what it costs.

    python benchmarks/skew.py [--data wine] [--seeds 3]

Data sets that scikit-learn ships, five kinds of model, all seeded: the experiment behind the change table.
Needs the dependency group `train`. The same versions print the same table (docs/skew.md says which).
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Data:
    """A data set: raw columns, the names of the columns, the classes, and the labels 0 ... k-1."""

    name: str
    x: Matrix
    columns: tuple[str, ...]
    y: Labels


def _shipped(name: str, load: Callable[[], Any]) -> Data:
    loaded = load()
    return Data(name, np.asarray(loaded.data, dtype=np.float64), tuple(loaded.feature_names), loaded.target)


DATA: Final[Mapping[str, Callable[[], Data]]] = {
    "breast_cancer": lambda: _shipped("breast_cancer", load_breast_cancer),
    "wine": lambda: _shipped("wine", load_wine),
    "digits": lambda: _shipped("digits", load_digits),
    "iris": lambda: _shipped("iris", load_iris),
}
MODELS: Final[Mapping[str, Callable[[int], ClassifierMixin]]] = {
    "logistic regression": lambda seed: LogisticRegression(max_iter=2000, random_state=seed),
    "random forest": lambda seed: RandomForestClassifier(n_estimators=60, random_state=seed),
    "gradient boosting": lambda seed: GradientBoostingClassifier(n_estimators=25, random_state=seed),
    "nearest neighbours": lambda seed: KNeighborsClassifier(n_neighbors=5),
    "neural network": lambda seed: MLPClassifier(hidden_layer_sizes=(32,), max_iter=400, random_state=seed),
}
BINS: Final = 5
"""Categories that a number is cut into where codes are tried."""
MISSING: Final = 0.2
"""The share of values that are missing where stand-ins are tried."""


@dataclass(frozen=True, slots=True)
class Split:
    """One seeded split, raw; `scaled` is what is served: by the least and greatest of the training part."""

    data: Data
    seed: int
    train: Matrix
    test: Matrix
    train_y: Labels
    test_y: Labels

    @property
    def low(self) -> Matrix:
        return self.train.min(axis=0)

    @property
    def width(self) -> Matrix:
        width = np.ptp(self.train, axis=0)
        return np.where(width > 0, width, 1.0)

    def scaled(self, raw: Matrix) -> Matrix:
        """Return minmax, clipped, as the models are trained on it."""
        return np.clip((raw - self.low) / self.width, 0.0, 1.0)

    def rng(self, salt: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, salt])


def split(data: Data, seed: int) -> Split:
    """Hold a third of the rows out, stratified."""
    parts = train_test_split(data.x, data.y, test_size=1 / 3, random_state=seed, stratify=data.y)
    return Split(data, seed, parts[0], parts[1], parts[2], parts[3])


@dataclass(frozen=True, slots=True)
class Setting:
    """What models are trained on, and the two things they are then served: the same, and something else.

    With `kept`, it is training that differs: a second model, trained on these rows alone, is served `other`.
    """

    x: NDArray[Any]
    y: Labels
    same: NDArray[Any]
    other: NDArray[Any]
    test_y: Labels
    kept: NDArray[np.bool_] | None = None


@dataclass
class Tally:
    """Runs of one row: how many raised an error, the accuracies before, and the points lost by the rest."""

    runs: int = 0
    errors: int = 0
    base: list[float] = field(default_factory=list)
    lost: list[float] = field(default_factory=list)


def _served(one: Split, other: NDArray[Any]) -> Setting:
    return Setting(one.scaled(one.train), one.train_y, one.scaled(one.test), other, one.test_y)


def raw_for_minmax(one: Split) -> Iterator[Setting]:
    """The founding accident: the name stays, the values are no longer scaled."""
    yield _served(one, one.test)


def displaced(share: float) -> Callable[[Split], Iterator[Setting]]:
    """Every column displaced by a share of its range, up or down at random: a refreshed parameter."""

    def settings(one: Split) -> Iterator[Setting]:
        for turn in range(4):
            signs = one.rng(turn).choice([-1.0, 1.0], size=one.train.shape[1])
            yield _served(one, one.scaled(one.test) + signs * share)

    return settings


def codes_reordered(one: Split) -> Iterator[Setting]:
    """Each number cut into categories with codes; then the same categories in the order of their names."""
    edges = np.quantile(one.train, np.linspace(0, 1, BINS + 1)[1:-1], axis=0)
    codes = [
        np.stack([np.searchsorted(edges[:, i], part[:, i]) for i in range(part.shape[1])], axis=1)
        for part in (one.train, one.test)
    ]
    names = ["very low", "low", "middle", "high", "very high"]
    renamed = np.argsort(np.argsort(names))
    yield Setting(codes[0], one.train_y, codes[1], renamed[codes[1]], one.test_y)


def missing_as(value: float) -> Callable[[Split], Iterator[Setting]]:
    """A fifth of the values missing and filled with the mean in training, with a constant when served.

    The models see raw values divided by their standard deviation, so that 0 and -999 mean what they say.
    """

    def settings(one: Split) -> Iterator[Setting]:
        mean, std = one.train.mean(axis=0), one.train.std(axis=0)
        std = np.where(std > 0, std, 1.0)
        holes = [one.rng(salt).random(part.shape) < MISSING for salt, part in ((5, one.train), (6, one.test))]
        train = np.where(holes[0], mean, one.train) / std
        same = np.where(holes[1], mean, one.test) / std
        yield Setting(train, one.train_y, same, np.where(holes[1], value, one.test / std), one.test_y)

    return settings


def other_unit(one: Split) -> Iterator[Setting]:
    """The column that tells most of the class in other units: y = 1.8 x + 32 of the standardised value."""
    mean, std = one.train.mean(axis=0), one.train.std(axis=0)
    std = np.where(std > 0, std, 1.0)
    train, same = (one.train - mean) / std, (one.test - mean) / std
    other = same.copy()
    column = telling(one)
    other[:, column] = other[:, column] * 1.8 + 32.0
    yield Setting(train, one.train_y, same, other, one.test_y)


def telling(one: Split) -> int:
    """Return the column with the greatest variance between classes over that within them."""
    groups = [one.train[one.train_y == label] for label in np.unique(one.train_y)]
    between = np.var([group.mean(axis=0) for group in groups], axis=0)
    within = np.mean([group.var(axis=0) for group in groups], axis=0)
    return int(np.argmax(between / np.where(within > 0, within, np.inf)))


def columns_by_name(one: Split) -> Iterator[Setting]:
    """A positional vector whose columns somebody sorted by name; nothing where they are sorted already."""
    order = np.argsort(one.data.columns)
    if (np.diff(order) < 0).any():
        yield _served(one, one.scaled(one.test)[:, order])


def range_never_seen(one: Split) -> Iterator[Setting]:
    """Training without the top fifth of the most telling column; the whole range is served."""
    column = telling(one)
    kept = one.train[:, column] <= np.quantile(one.train[:, column], 0.8)
    x, served = one.scaled(one.train), one.scaled(one.test)
    if set(one.train_y[kept]) == set(one.train_y):  # else a class would be gone: another experiment
        yield Setting(x, one.train_y, served, served, one.test_y, kept)


def narrower_float(one: Split) -> Iterator[Setting]:
    """float64 in training, float32 when served."""
    yield _served(one, one.scaled(one.test).astype(np.float32))


def whole_numbers(one: Split) -> Iterator[Setting]:
    """A float in training, an integer when served."""
    yield _served(one, one.scaled(one.test).astype(np.int64).astype(np.float64))


def nulls(one: Split) -> Iterator[Setting]:
    """A twentieth of the values missing: the mean in training, null when served."""
    mean = one.train.mean(axis=0)
    holes = one.rng(7).random(one.test.shape) < MISSING / 4
    same = one.scaled(np.where(holes, mean, one.test))
    yield Setting(one.scaled(one.train), one.train_y, same, np.where(holes, np.nan, same), one.test_y)


def other_width(one: Split) -> Iterator[Setting]:
    """One column less, one column more."""
    served = one.scaled(one.test)
    yield _served(one, served[:, :-1])
    yield _served(one, np.hstack([served, served[:, -1:]]))


ROWS: Final[Mapping[str, Callable[[Split], Iterator[Setting]]]] = {
    "raw for minmax": raw_for_minmax,
    "displaced by 1 %": displaced(0.01),
    "displaced by 5 %": displaced(0.05),
    "displaced by 20 %": displaced(0.20),
    "ordinal codes reordered": codes_reordered,
    "missing: mean → 0": missing_as(0.0),
    "missing: mean → -999": missing_as(-999.0),
    "the most telling feature in °F for °C": other_unit,
    "columns sorted by name": columns_by_name,
    "top fifth of a range never seen": range_never_seen,
    "float64 → float32": narrower_float,
    "float → int": whole_numbers,
    "null for mean": nulls,
    "one column more or less": other_width,
}


class Trained:
    """Trains each model once for each training set: many rows share one."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, bytes], ClassifierMixin] = {}

    def model(self, name: str, seed: int, x: NDArray[Any], y: Labels) -> ClassifierMixin:
        """Return the fitted model."""
        key = (name, seed, hashlib.sha256(x.tobytes() + y.tobytes()).digest())
        if key not in self._known:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a network that has not converged is a model like any other
                self._known[key] = MODELS[name](seed).fit(x, y)
        return self._known[key]


def measure(data: Data, seeds: int) -> dict[str, Tally]:
    """Run every row on one data set with all models; row -> what came of it."""
    found = {row: Tally() for row in ROWS}
    for seed in range(seeds):
        trained, one = Trained(), split(data, seed)
        for row, settings in ROWS.items():
            for setting in settings(one):
                for name in MODELS:
                    _run(found[row], trained, name, seed, setting)
    return found


def _run(tally: Tally, trained: Trained, name: str, seed: int, setting: Setting) -> None:
    model = trained.model(name, seed, setting.x, setting.y)
    base = _accuracy(model, setting.same, setting.test_y)
    tally.runs += 1
    tally.base.append(base)
    if setting.kept is not None:
        model = trained.model(name, seed, setting.x[setting.kept], setting.y[setting.kept])
    try:
        got = _accuracy(model, setting.other, setting.test_y)
    except ValueError:
        tally.errors += 1
    else:
        tally.lost.append(base - got)


def _accuracy(model: ClassifierMixin, x: NDArray[Any], y: Labels) -> float:
    """Return the share of right answers, in points."""
    return 100.0 * float(np.mean(model.predict(x) == y))


def table(found: Sequence[Mapping[str, Tally]]) -> Iterator[str]:
    """Yield the lines of the table over all data sets."""
    yield "| served instead of what was trained on | error raised | mean loss | worst loss |"
    yield "|---|--:|--:|--:|"
    for row in ROWS:
        tallies = [one[row] for one in found]
        runs, errors = sum(one.runs for one in tallies), sum(one.errors for one in tallies)
        lost = [points for one in tallies for points in one.lost]
        losses = f"{_points(np.mean(lost))} | {_points(max(lost))}" if lost else " | "
        yield f"| {row} | {errors} of {runs} | {losses} |"


def _points(value: float) -> str:
    """Return points of accuracy with one decimal; nothing lost is 0.0, never -0.0."""
    return f"{round(float(value), 1) + 0.0:.1f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What do wrong inputs cost, and who notices?")
    parser.add_argument("--data", choices=DATA, action="append", help="a data set; default: all")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="seeded splits of each data set")
    chosen = parser.parse_args()
    names = chosen.data or list(DATA)
    found = [measure(DATA[name](), chosen.seeds) for name in names]
    base = [points for one in found for points in one["raw for minmax"].base]
    print(
        f"{', '.join(names)}; {', '.join(MODELS)}; {chosen.seeds} splits each. Points of accuracy lost, of "
        f"{min(base):.0f} to {max(base):.0f} (mean {np.mean(base):.1f}).\n"
        f"scikit-learn {sklearn.__version__}, numpy {np.__version__}, Python {platform.python_version()}.\n"
    )
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
