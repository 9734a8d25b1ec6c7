"""Request logs of other systems: from an object as it was written to a record."""

from __future__ import annotations

from typing import Final

from modelspec.formats.records.azureml import AzureMl
from modelspec.formats.records.databricks import Databricks
from modelspec.formats.records.kserve import KServe
from modelspec.formats.records.openinference import OpenInference
from modelspec.formats.records.sagemaker import SageMaker
from modelspec.formats.records.vertex import Vertex
from modelspec.tree.recordform import Form

FORMS: Final[tuple[Form, ...]] = (
    SageMaker(),
    AzureMl(),
    KServe(),
    Databricks(),
    Vertex(),
    OpenInference(),
)
"""The forms that are known, in the order in which they are tried."""
