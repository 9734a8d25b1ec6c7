"""Which fields fill the inputs of a slot, as templates see them: what a runtime needs to log them by name."""

from __future__ import annotations

from modelspec.compat.encoding import width
from modelspec.compile.deployment import DeployedSlot
from modelspec.spec.kinds import RESERVED_VIEW
from modelspec.tree.data import Data


def fields_of(slot: DeployedSlot) -> list[Data]:
    """Return the fields of every input that says what fills it, in the order of the signature.

    `width` is None where it is not known. A field whose schema can't be read is `sensitive`: nobody can say
    that it is not.
    """
    version = slot.version.value
    fields = {f"{RESERVED_VIEW}.{field.name}": field for field in version.request}
    for view, schema in slot.schemas.items():
        fields |= {f"{view}.{field.name}": field for field in schema.fields}
    told: list[Data] = []
    for tensor in version.signature.inputs if version.signature is not None else ():
        for source in tensor.sources:
            field = fields.get(source)
            told.append(
                {
                    "input": tensor.name,
                    "field": source,
                    "width": width(field) if field is not None else None,
                    "sensitive": bool(field.sensitive) if field is not None else True,
                }
            )
    return told
