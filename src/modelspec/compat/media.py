"""Part 9 of a field's contract: embeddings, text, images and sound.

`tokenizer`, `image` and `audio` are maps with the keys of whoever wrote them (Hugging Face's names are
understood beside ours). `inside: true` says that the artifact itself takes the step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from modelspec.compat import describe
from modelspec.compat.change import Change, Pair
from modelspec.compat.displacement import TOLERANCE, UNBOUNDED_ZSCORE, Line, distance, relative
from modelspec.compat.table import Verdict

MEDIA = 9
_LENGTHS: Final = frozenset({"max_length", "model_max_length"})
_SCALES: Final = {"mean": "mean", "image_mean": "mean", "std": "std", "image_std": "std"}
_RESIZES: Final = frozenset(
    {"filter", "resample", "interpolation", "antialias", "crop", "crop_size", "do_center_crop"}
)


def media(pair: Pair) -> Iterator[Change]:
    """Part 9: embedding, tokenizer, image and sound."""
    yield from _embedding(pair)
    for key in ("tokenizer", "image", "audio"):
        trained, served = getattr(pair.trained, key), getattr(pair.served, key)
        if trained != served:
            yield from _steps(pair, key, trained, served)


def _embedding(pair: Pair) -> Iterator[Change]:
    trained, served = pair.trained.embedding, pair.served.embedding
    if trained is None or served is None:
        if trained is not served:
            told = pair.both(lambda side: describe.word(side.embedding and side.embedding.model))
            yield pair.change("declared-once", MEDIA, "'s embedding", *told)
        return
    for name in ("model", "dimension", "normalised"):
        ours, theirs = getattr(trained, name), getattr(served, name)
        if ours != theirs:
            row = "declared-once" if None in (ours, theirs) else "embedding"
            yield pair.change(row, MEDIA, f"'s embedding {name}", describe.word(ours), describe.word(theirs))


def _steps(
    pair: Pair, kind: str, trained: Mapping[str, Any] | None, served: Mapping[str, Any] | None
) -> Iterator[Change]:
    if trained is None or served is None:
        told = pair.both(lambda side: describe.NOTHING if getattr(side, kind) is None else "declared")
        yield pair.change("declared-once", MEDIA, f"'s {kind}", *told)
        return
    differing = sorted(
        key for key in {*trained, *served} if trained.get(key) != served.get(key) and key != "inside"
    )
    if trained.get("inside") is True and served.get("inside") is True:
        if differing:
            yield pair.change("media-inside", MEDIA, f"'s {kind} (inside the artifact)", "one", "another")
        return
    if trained.get("inside") != served.get("inside"):
        told = pair.both(
            lambda side: f"{'inside' if getattr(side, kind).get('inside') else 'outside'} the artifact"
        )
        yield pair.change("tokenizer" if kind == "tokenizer" else "pixels", MEDIA, f"'s {kind}", *told)
    scaled = [key for key in differing if kind != "tokenizer" and key in _SCALES]
    if scaled:
        yield _scale(pair, kind, scaled, trained, served)
    for key in differing:
        if key not in scaled:
            yield _step(pair, kind, key, trained.get(key), served.get(key))


def _step(pair: Pair, kind: str, key: str, trained: object, served: object) -> Change:
    told = describe.word(trained), describe.word(served)
    what = f"'s {kind} {describe.word(key)}"
    if trained is None or served is None:
        return pair.change("declared-once", MEDIA, what, *told)
    if kind == "tokenizer":
        if key in _LENGTHS and isinstance(trained, int) and isinstance(served, int):
            raised = (served > trained) == (pair.column == "back")
            return pair.mirrored("max-length", MEDIA, what, forward=raised, trained=told[0], served=told[1])
        return pair.change("tokenizer", MEDIA, what, *told)
    return pair.change("resize" if key in _RESIZES else "pixels", MEDIA, what, *told)


def _scale(
    pair: Pair, kind: str, keys: list[str], trained: Mapping[str, Any], served: Mapping[str, Any]
) -> Change:
    told = pair.both(
        lambda side: ", ".join(f"{key} {describe.word(getattr(side, kind).get(key))}" for key in keys)
    )
    moved = _moved(pair, trained, served)
    near = moved is not None and moved <= TOLERANCE
    return pair.change("pixel-scale", MEDIA, f"'s {kind}", *told, unless=None if near else Verdict.B)


def _moved(pair: Pair, trained: Mapping[str, Any], served: Mapping[str, Any]) -> float | None:
    """The largest displacement of a channel; the raw values are the declared ones, else mean ± 3 std."""
    ours, theirs = _channels(trained), _channels(served)
    if not ours or len(ours) != len(theirs):
        return None
    declared = [
        side.source.range
        for side in (pair.trained, pair.served)
        if side.source is not None and side.source.range is not None
    ]
    over = pair.trained.range
    width = UNBOUNDED_ZSCORE if over is None else over[1] - over[0]
    worst = 0.0
    for first, second in zip(ours, theirs, strict=True):
        ends = declared or [(mean - 3 * std, mean + 3 * std) for mean, std in (first, second)]
        raw = (min(low for low, _ in ends), max(high for _, high in ends))
        moved = relative(distance(_line(*first), _line(*second), raw), width)
        if moved is None:
            return None
        worst = max(worst, moved)
    return worst


def _line(mean: float, std: float) -> Line:
    return Line.scaled(mean, std)


def _channels(step: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Return (mean, std) of each channel; empty when they are not two lists of numbers of one length."""
    found: dict[str, list[float]] = {}
    for key, name in _SCALES.items():
        value = step.get(key)
        listed = value if isinstance(value, list) else [value]
        numbers = [float(one) for one in listed if isinstance(one, int | float) and one is not True]
        if len(numbers) == len(listed):
            found.setdefault(name, numbers)
    means, stds = found.get("mean", []), found.get("std", [])
    if len(means) != len(stds) or not all(std > 0 for std in stds):
        return []
    return list(zip(means, stds, strict=True))
