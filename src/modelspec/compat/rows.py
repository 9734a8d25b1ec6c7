"""The rows of the change table."""

from __future__ import annotations

from typing import Final

from modelspec.compat.table import Bump, Group, Row, Unless, Verdict

S, R, B = Verdict.S, Verdict.R, Verdict.B
_BUMPS: Final = {"M": Bump.MAJOR, "m": Bump.MINOR, "p": Bump.PATCH}


def _row(
    group: Group,
    key: str,
    change: str,
    says: str,
    why: str,
    peers: str = "",
    *unless: Unless,
    mirror: bool = False,
) -> Row:
    """Read `says` as "out back bump" and `peers` as codes, `!` in front of those we depart from."""
    out, back, bump = says.split()
    codes = peers.split()
    return Row(
        key=key,
        group=group,
        change=change,
        out=Verdict[out],
        back=Verdict[back],
        bump=_BUMPS[bump],
        why=why,
        follows=tuple(code for code in codes if not code.startswith("!")),
        departs=tuple(code[1:] for code in codes if code.startswith("!")),
        unless=unless,
        mirror=mirror,
    )


def _structure() -> tuple[Row, ...]:
    g: Group = "structure"
    return (
        _row(g, "added", "field added, without a default", "B S M",
             "It is not served yet, and nobody who was trained before reads it.", "Av CF !Hw"),
        _row(g, "added-default", "field added, with a default", "R S m",
             "It parses, but a constant column was never trained on.", "!Av"),
        _row(g, "removed", "field removed", "S B m",
             "A deletion cannot be rolled back: who was trained on it has nothing to read.", "Ic Av"),
        _row(g, "removed-default", "field removed, the old one has a default", "S R m",
             "The old model lives on the default alone.", "!Av"),
        _row(g, "renamed", "field renamed", "B B M",
             "Without an alias it is one field removed and another added.", "Av"),
        _row(g, "renamed-alias", "field renamed, the new one keeps the old name as `alias`", "B B M",
             "A model asks by the name it knows, and the lock of the old schema knows none that came later: "
             "nothing maps one to the other where they meet.", "!Av"),
        _row(g, "name-returns", "a name returns with another contract", "B B M",
             "Readers of the first field would read the second one; judged on parts, across gaps.", "Bf CF"),
        _row(g, "width", "int32 → int64, float32 → float64 (narrowed: mirror)", "S R m",
             "Every old value fits; a new one may not fit a model that was trained on the narrower type.",
             "Ic !Av",
             Unless("back", S, "the served values fit exactly"),
             Unless("back", B, "the served range overflows"), mirror=True),
        _row(g, "format", "signed ↔ unsigned, float16 ↔ bfloat16", "R R m",
             "Neither type holds all values of the other.", "",
             Unless("both", S, "the served values fit exactly"),
             Unless("both", B, "the served range overflows")),
        _row(g, "int-float", "integer → float", "R B m",
             "Large integers are rounded by a float; going back truncates.", "!Av Ic",
             Unless("out", S, "the served range is exact in the float")),
        _row(g, "float-int", "float → integer", "B R M",
             "Truncation changes values; the mirror of integer → float.", "Av",
             Unless("back", S, "the served range is exact in the float")),
        _row(g, "kind-of-type", "number, bool, time, bytes or string → another of them", "B B M",
             "Another parsing and another meaning.", "Av !Bf"),
        _row(g, "decimal-precision", "decimal: precision raised, scale kept (lowered: mirror)", "S R m",
             "Every old value fits; a new one may have more digits.", "Ic",
             Unless("back", B, "the served range overflows"), mirror=True),
        _row(g, "decimal-scale", "decimal: another scale, or decimal ↔ integer or float", "B B M",
             "The same digits mean another number, or are rounded.", "Ic"),
        _row(g, "shape", "rank or a fixed dimension", "B B M",
             "It is another tensor.", "OX OI"),
        _row(g, "dimension-fixed", "dimension symbolic → fixed", "B S M",
             "A model built for one size meets any size; the mirror of fixed → symbolic.", "OX"),
        _row(g, "dimension-symbolic", "dimension fixed → symbolic", "S B m",
             "The old model wants its own size.", "OX"),
        _row(g, "view-order", "order of the fields in a view", "S S p",
             "Fields are matched by name.", "Av ML"),
        _row(g, "vector-order", "order in a positional vector", "B B M",
             "The width stays, so nothing fails, and every value means another.", "OX"),
        _row(g, "nullable", "nullable no → yes", "S B m",
             "The old model never met a null.", "Ic TF",
             Unless("back", R, "the old field has a missing policy")),
        _row(g, "not-nullable", "nullable yes → no", "B S M",
             "Nulls are still served to a model that was trained without; the mirror.", "TF",
             Unless("out", R, "the new field has a missing policy")),
        _row(g, "entity", "entity key", "B B M",
             "Another join gives the values of another row."),
        _row(g, "declared-once", "a part declared on one side only, where no other row says more", "R R m",
             "What the silent side means is unknown."),
    )  # fmt: skip


def _value() -> tuple[Row, ...]:
    g: Group = "value"
    return (
        _row(g, "default", "default or missing policy", "B B M",
             "Other values stand in for what is missing; a refreshed statistic is judged as displacement.",
             "!CF"),
        _row(g, "unit", "unit", "B B M",
             "Convertible is not converted."),
        _row(g, "range-widened", "range widened", "S R m",
             "The old model never saw the new part.", "!CF TF",
             Unless("back", B, "the trained range covers less than half of the served one")),
        _row(g, "range-narrowed", "range narrowed", "R S m",
             "The part that is gone is still served to the new model; the mirror.", "!CF",
             Unless("out", B, "the trained range covers less than half of the served one")),
        _row(g, "range-shifted", "range shifted, overlapping", "R R m",
             "A part of what is served was never seen.", "!CF",
             Unless("both", B, "the trained range covers less than half of the served one")),
        _row(g, "range-disjoint", "range disjoint", "B B M",
             "Nothing of what is served was ever seen.", "CF"),
        _row(g, "range-declared", "range declared for the first time", "R S m",
             "The old values are unbounded.", "!CF !OA"),
        _row(g, "range-dropped", "range dropped", "S R m",
             "The proof is gone.", "OA"),
        _row(g, "range-observed", "range observed on a side, not disjoint", "R R m",
             "What a sample held is no promise of what will be served.", "TF"),
        _row(g, "categories-added", "categories added, served as strings", "S B m",
             "The old model has no place for a new category.", "Av CF",
             Unless("back", R, "the old field maps unknown categories to one (`missing: category`)")),
        _row(g, "categories-removed", "categories removed, served as strings", "B S M",
             "The category that is gone is still served to the new model; the mirror.", "Av",
             Unless("out", R, "the new field maps unknown categories to one (`missing: category`)")),
        _row(g, "categories-order", "categories reordered, served as strings", "S S p",
             "They are a set.", "CF"),
        _row(g, "codes-moved", "codes made outside the model: reordered, inserted, removed before the end",
             "B B M", "The same number silently means another category.", "!CF"),
        _row(g, "codes-appended", "codes made outside the model: appended at the end, ordinal", "S B m",
             "Old codes stay, the new ones were never seen.", "",
             Unless("back", R, "the old field maps unknown categories to one (`missing: category`)")),
        _row(g, "codes-dropped", "codes made outside the model: last ones removed, ordinal", "B S M",
             "The codes that are gone are still served to the new model; the mirror.", "",
             Unless("out", R, "the new field maps unknown categories to one (`missing: category`)")),
        _row(g, "onehot-width", "codes made outside the model: appended or removed at the end, one-hot",
             "B B M", "The vector has another width.", "OX"),
        _row(g, "hash", "hash function, seed, buckets or hashed type", "B B M",
             'Every bucket means something else: 34 and "34" hash apart.', "Ic"),
        _row(g, "nan-forbidden", "NaN or infinity no longer allowed", "B S M",
             "They are still served to the new model; the mirror.", "TF"),
        _row(g, "nan-allowed", "NaN or infinity newly allowed", "S B m",
             "Runtimes take them silently.", "TF"),
        _row(g, "transform-kind", "kind of transform", "B B M",
             "The founding accident: the name stays, the numbers mean something else.", "Hw"),
        _row(g, "transform-near", "transform parameter or imputed constant, displacement at most 1 %",
             "R R m",
             "Measured: 0.2 points of accuracy lost on average, 3.3 at worst."),
        _row(g, "transform-far", "the same, above 1 %, or without a measure", "B B M",
             "Measured: 1.9 points of accuracy lost on average at 5 %, 15.5 at 20 %.", "Hw"),
        _row(g, "transform-code", "only `transform.digest` (kind `code`)", "R R m",
             "It is unknown what the change of code did; a schema's own `code` is provenance, never judged.",
             "Hw"),
        _row(g, "aggregation", "aggregation (function, length, time), time zone or time unit", "B B M",
             "Another quantity under one name.", "TF"),
        _row(g, "embedding", "embedding model, dimension or normalisation", "B B M",
             "Vectors of another space.", "Hw TF"),
        _row(g, "freshness-loosened", "freshness loosened", "S R m",
             "The old model would see staler values than it was trained on."),
        _row(g, "freshness-tightened", "freshness tightened", "R S m",
             "The old values are staler than what the new model was trained on; the mirror."),
        _row(g, "descriptive", "owner, description, tags", "S S p",
             "No value changes.", "CF"),
    )  # fmt: skip


def _media() -> tuple[Row, ...]:
    g: Group = "media"
    return (
        _row(g, "media-inside", "any step that is inside the artifact (`inside: true` on both sides)",
             "S S p",
             "The artifact brings its own step along, and its digest covers it."),
        _row(g, "tokenizer", "tokenizer, chat template, special tokens, padding side", "B B M",
             "Other ids, or another prompt.", "HF"),
        _row(g, "max-length", "maximum length raised (lowered: mirror)", "S R m",
             "Longer texts than the model was trained on.", "HF", mirror=True),
        _row(g, "pixels", "channel order, layout, colour space, rescale, size, sampling rate", "B B M",
             "The shape may stay, the content is another.", "OX HF"),
        _row(g, "pixel-scale", "mean, std", "R R m",
             "An affine step, judged by its displacement.", "HF",
             Unless("both", B, "the displacement is above 1 %")),
        _row(g, "resize", "resize filter, antialias, crop", "R R m",
             "Pixels differ slightly.", "TV"),
    )  # fmt: skip


def _signature() -> tuple[Row, ...]:
    g: Group = "signature"
    return (
        _row(g, "input", "input renamed, retyped, reshaped, removed, of other fields, or added and required",
             "B B M", "Protocols match inputs exactly.", "OI OX !ML"),
        _row(g, "input-optional", "optional input added, or an input becomes optional (the reverse: mirror)",
             "S B m", "The old version refuses, drops or misses it.", "OI", mirror=True),
        _row(g, "output-added", "output added", "S B m",
             "Its readers lose it when the old version comes back.", "OA"),
        _row(g, "output-removed", "output removed or renamed", "B S M",
             "Its readers miss it.", "OA"),
        _row(g, "output", "output type, shape or order", "B B M",
             "Clients are typed.", "OI"),
        _row(g, "class-added", "class added", "B R M",
             "A consumer that was written before meets an unknown label.", "OA"),
        _row(g, "class-removed", "class removed", "R B m",
             "A branch of the consumer goes quiet.", "OA"),
        _row(g, "class-order", "order of the classes", "B B M",
             "The index means another label.", "HF"),
        _row(g, "output-unit", "unit of an output, logit ↔ probability", "B B M",
             "It is another quantity."),
        _row(g, "output-range", "range of an output widened (narrowed: mirror)", "R S m",
             "Consumers never handled these values.", "OA", mirror=True),
        _row(g, "threshold", "decision threshold or calibration", "R R m",
             "Decisions move though the scores do not."),
    )  # fmt: skip


def _runtime() -> tuple[Row, ...]:
    g: Group = "runtime"
    return (
        _row(g, "retrained", "retrained, equal contract", "S S p",
             "Gates judge quality."),
        _row(g, "architecture", "architecture, quantisation, precision", "R R m",
             "Other inputs are now answered wrongly."),
        _row(g, "hyperparameters", "hyperparameters", "S S p",
             "They are in the artifact already."),
        _row(g, "image-digest", "image digest, accelerator or threads", "R R p",
             "Numbers come out differently in the last digits.", "SM"),
        _row(g, "onnx-too-new", "ONNX opset or IR above what the runtime loads", "B B p",
             "Refused at load, though the ONNX checker passes it.", "OX"),
        _row(g, "onnxruntime-newer", "another onnxruntime that loads it", "R R p",
             "Old opsets load, numbers may move.", "OX"),
        _row(g, "savedmodel", "SavedModel: another major, or a runtime older than the writer", "B B p",
             "Loading is promised within a major, forwards only.", "SM"),
        _row(g, "pickle", "pickle, joblib: any library or the Python minor differs", "B B p",
             "Unsupported by its makers, and real loads fail.", "SK"),
        _row(g, "weights-code", "weights only: the model code differs", "B B p",
             "The code is half of the model."),
        _row(g, "symbolic-dimension", "ONNX input with a symbolic dimension other than the batch", "B B p",
             "Wrong widths pass silently.", "OX"),
    )  # fmt: skip


TABLE: Final[dict[str, Row]] = {
    row.key: row for rows in (_structure(), _value(), _media(), _signature(), _runtime()) for row in rows
}
"""Every row by its key, in the order of the page."""
