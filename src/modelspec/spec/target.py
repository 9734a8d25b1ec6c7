"""target.yaml: what a serving system is told, and what it can express. A target is a folder of data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from modelspec.spec.base import Name, Seq, Text, Value, Wanted

Condition = Literal["canary", "shadow", "standby", "variants"]
"""A slot that must be there for an output to be written."""


Weights = Annotated[
    Literal[False] | Annotated[tuple[int, int], Field(strict=False)],
    Wanted("false, or the least and the greatest weight: [1, 99]"),
]


class Naming(Value):
    """How objects of this system are named."""

    pattern: Literal["dns-label", "dns-subdomain", "identifier", "path"]
    """What names look like there."""
    max: Annotated[int, Field(ge=16, le=255)]
    """How long they may be."""


class Expresses(Value):
    """Which slots the system can serve."""

    canary: Weights = False
    """The weights that a canary may have, or false."""
    variants: Weights = False
    """The weights that a variant may have, or false."""
    shadow: bool = False
    """Whether requests can be copied to a version whose answers are dropped."""
    standby: bool = False
    """Whether a version can be kept warm without answering."""


class Loads(Value):
    """From where the system itself loads an artifact."""

    schemes: Seq[Text]
    """The schemes of the addresses that it takes: `[s3, https]`; none at all: `[]`."""
    unless: Text | None = None
    """A param with which something else brings the artifact, from an address of any scheme."""


class OutputSpec(Value):
    """One file that the target writes for a pin, or with `each: slot` for every slot of it."""

    path: Text
    """Where it is written, relative to the target's folder; `{slot}` is the name of the slot."""
    format: Literal["yaml", "json", "env", "textproto", "toml"]
    """How its data is written."""
    template: Text
    """The file of its template, beside target.yaml."""
    schema_: Text | None = Field(default=None, alias="schema")
    """The file of the JSON Schema that its data must fit."""
    when: Condition | None = None
    """The slot that a pin must have for it to be written."""
    each: Literal["slot"] | None = None
    """`slot`: one file for every slot, which the template knows as `slot`."""


class Target(Value):
    """templates/<target>/target.yaml."""

    name: Name
    """Its name, as in the path."""
    description: Text | None = None
    """What it is, for `target list`."""
    grade: Literal["record", "header", "receipt only"]
    """Where its stamp lands: on every record, in a header only, or nowhere but in receipts."""
    names: Naming
    """How objects of this system are named."""
    expresses: Expresses = Expresses()
    """Which slots the system can serve."""
    writes: Seq[Literal["image", "weight", "canary-weight"]] = ()
    """What must be in the outputs beside every stamp: each slot's image; the weight of each slot that
    answers; or only the weights beside stable's, where the system itself gives stable the rest."""
    storage: Literal["path", "uri"] = "uri"
    """How it reaches an artifact: by a path relative to the output, or by an address."""
    loads: Loads | None = None
    """The addresses that it can load from; any, if this is not said."""
    integers: bool = False
    """Whether it knows a version only as an integer."""
    params: Text = "params.schema.json"
    """The file of the JSON Schema for its params in a pin."""
    ordered: Seq[Seq[Text]] = ()
    """Params of which each must not be more than the next, dotted: `[replicas.min, replicas.max]`."""
    tables: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Words of ours and what this system calls them."""
    texts: dict[str, Text] = Field(default_factory=dict)
    """Texts made of names, for each slot: `{object}-predictor`."""
    outputs: Annotated[tuple[OutputSpec, ...], Field(strict=False, min_length=1)]
    """The files that it writes."""

    def loads_from(self, uri: str) -> bool:
        """Whether the system itself takes an address of this scheme."""
        return self.loads is None or uri.partition("://")[0] in self.loads.schemes

    @property
    def files(self) -> tuple[str, ...]:
        """The files beside target.yaml that it is made of, sorted."""
        named = {self.params}
        for output in self.outputs:
            named.add(output.template)
            if output.schema_ is not None:
                named.add(output.schema_)
        return tuple(sorted(named))
