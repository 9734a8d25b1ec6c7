"""Hugging Face: sizes that are written in several ways, digests that coreutils recompute, broken files."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from formats.fixture import FIXTURES
from modelspec.formats.foreign import Unreadable
from modelspec.formats.huggingface import from_files


def image(**config: Any) -> dict[str, Any]:
    files = {"preprocessor_config.json": json.dumps({"do_resize": True, **config}).encode()}
    (field,) = from_files(files).fields
    return field


@pytest.mark.parametrize(
    ("config", "size"),
    [
        ({"size": 224}, [224, 224]),
        ({"size": {"height": 10, "width": 20}}, [10, 20]),
        ({"size": {"shortest_edge": 256}}, [-1, -1]),
        (
            {
                "size": {"shortest_edge": 256},
                "do_center_crop": True,
                "crop_size": {"height": 224, "width": 224},
            },
            [224, 224],
        ),
        ({"size": -5}, [-1, -1]),
        ({}, [-1, -1]),
    ],
)
def test_sizes(config: dict[str, Any], size: list[int]) -> None:
    assert image(**config)["shape"] == [3, *size]


def test_steps_are_kept_and_what_is_no_plain_value_is_said() -> None:
    found = from_files(
        {"preprocessor_config.json": b'{"do_resize": true, "resample": 3, "odd": [[1]], "none": null}'}
    )
    assert found.fields[0]["image"] == {"do_resize": True, "resample": 3}
    assert any("odd" in note.message for note in found.notes)


def test_the_digest_of_a_tokenizer_is_what_coreutils_compute() -> None:
    folder = FIXTURES / "words"
    names = sorted(path.name for path in folder.iterdir())
    listing = subprocess.run(["sha256sum", *names], cwd=folder, capture_output=True, check=True).stdout
    digest = subprocess.run(["sha256sum"], input=listing, capture_output=True, check=True).stdout.decode()[
        :64
    ]
    (field,) = from_files({name: (folder / name).read_bytes() for name in names}).fields
    assert field["tokenizer"]["digest"] == f"sha256:{digest}"  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "no preprocessor_config.json"),
        ({"preprocessor_config.json": b"[]"}, "preprocessor_config.json is no map"),
        ({"preprocessor_config.json": b"{"}, "preprocessor_config.json: line 1"),
        ({"preprocessor_config.json": b'{"a": 1}'}, "nothing of images and nothing of sound"),
        ({"tokenizer.json": b"[" * 100_000}, "nested deeper"),
        ({"tokenizer_config.json": b"\xff"}, "no UTF-8|is not UTF-8"),
    ],
)
def test_what_is_wrong_is_said(files: dict[str, bytes], told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        from_files(files)


def test_a_vocabulary_without_numbers_gives_no_range() -> None:
    for vocabulary in ({"a": "x"}, {}, {"a": -1}, 7):
        files = {"tokenizer.json": json.dumps({"model": {"vocab": vocabulary}, "added_tokens": 3}).encode()}
        assert "range" not in from_files(files).fields[0]
