"""The fixtures, made by the libraries that own the formats (fixtures/make.py), and what they must give.

`python tests/formats/fixture.py` writes what they give anew: read the difference before you commit it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FIXTURES = HERE / "fixtures"
EXPECTED = HERE / "expected"
CASES = {
    "avsc": ("trip.avsc",),
    "avro": ("trip.avro",),
    "parquet": ("trips.parquet",),
    "feather": ("trips.feather",),
    "arrow-stream": ("trips.arrows",),
    "parquet-sample": ("trips.parquet", "--from", "sample"),
    "feather-sample": ("trips.feather", "--from", "sample"),
    "stream-sample": ("trips.arrows", "--from", "sample"),
    "csv": ("iris.csv",),
    "json-schema": ("trip.schema.json",),
    "mlflow": ("MLmodel",),
    "mlflow-tensors": ("MLmodel.tensors",),
    "onnx": ("trip.onnx",),
    "tfdv": ("trip.pbtxt",),
    "feast-registry": ("registry.db", "--view", "driver_stats"),
    "feast-code": ("registry.db", "--view", "ratio"),
    "feast-view": ("driver_stats.pb",),
    "feast-json": ("feast.json", "--view", "driver_stats"),
    "feast-yaml": ("driver_stats.yaml",),
    "vit": ("vit",),
    "whisper": ("whisper/preprocessor_config.json",),
    "words": ("words",),
    "tokenizer": ("words/tokenizer.json",),
}
"""Case -> the arguments of `import-schema`, the fixture first."""


def arguments(case: str) -> list[str]:
    """Return the arguments of a case; the view is named like the case where it names none."""
    path, *more = CASES[case]
    if "--view" not in more:
        more = [*more, "--view", case]
    return ["import-schema", str(FIXTURES / path), *more, "--owner", "@data"]


if __name__ == "__main__":
    EXPECTED.mkdir(exist_ok=True)
    for case in CASES:
        command = [sys.executable, "-m", "modelspec", *arguments(case), "--stdout"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        (EXPECTED / f"{case}.yaml").write_text(done.stdout)
