"""Formats are told by bytes: real files of real libraries, pickles in every wrapping, and hostile headers."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import ROOT
from modelspec.formats.artifact import Detected, detect
from modelspec.formats.foreign import Unreadable
from modelspec.formats.ubjson import read_ubjson

FIXTURES = Path(__file__).parent / "fixtures" / "artifacts"


class Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return (open, (str(self.path), "w"))


def of(data: bytes) -> Detected:
    return detect(io.BytesIO(data))


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "form", "observed"),
    [
        ("booster.ubj", "xgboost", {"width": 3, "names": ["distance", "city", "rain"], "objective": "reg:squarederror"}),
        ("booster.json", "xgboost", {"width": 3, "names": ["distance", "city", "rain"], "objective": "reg:squarederror"}),
        ("booster.txt", "lightgbm", {"width": 3, "names": ["distance", "city", "rain"], "objective": "regression"}),
        ("scaler.skops", "skops", {"width": 3}),
        ("weights.safetensors", "safetensors", {"producer": "np", "parameters": 9}),
    ],
)  # fmt: skip
def test_what_real_libraries_wrote_is_told(name: str, form: str, observed: dict[str, object]) -> None:
    found = of((FIXTURES / name).read_bytes())
    assert (found.format, found.unsafe) == (form, False)
    assert {key: found.observed[key] for key in observed} == observed


def _kept(value: object) -> dict[str, object]:
    return {"__loader__": "JsonNode", "content": json.dumps(value)}


def _object(name: str, **own: object) -> dict[str, object]:
    return {"__class__": name, "content": {"content": own}}


SCALER = _object("Scaler", n_features_in_=_kept(2), feature_names_in_={"content": [_kept("a"), _kept('"b')]})
PIPELINE = _object("Pipeline", steps={"content": [{"content": [_kept("scaler"), SCALER]}]})
TOLD = {"producer": "skops 0.16.0", "width": 2, "names": ["a", '"b']}


@pytest.mark.parametrize(
    ("schema", "observed"),
    [
        (SCALER, TOLD),
        (PIPELINE, TOLD),
        (_object("Pipeline", steps={"content": [{"content": [_kept("again"), PIPELINE]}]}), TOLD),
        (_object("Pipeline", steps=_kept("passthrough")), {"producer": "skops 0.16.0"}),
        (_object("Search", n_features_in_=_kept(-1)), {"producer": "skops 0.16.0"}),
        ({**SCALER, "more": "x" * 2 * 1024 * 1024}, {}),
        ({**SCALER, "_skops_version": 1}, {}),
        ({"_skops_version": "0.16.0", "content": []}, {"producer": "skops 0.16.0"}),
    ],
)
def test_what_a_skops_file_says_of_the_object_that_is_given_the_rows(
    schema: dict[str, object], observed: dict[str, object]
) -> None:
    found = of(zipped(schema__json=json.dumps({"_skops_version": "0.16.0", **schema}).encode()))
    assert (found.format, found.unsafe, found.observed) == ("skops", False, observed)


def test_a_skops_file_whose_schema_is_damaged_is_no_model_to_trust() -> None:
    assert of(zipped(schema__json=b"[" * 100_000)).observed == {}
    whole = zipped(schema__json=json.dumps(np.random.default_rng(0).bytes(200_000).hex()).encode())
    assert not of(whole).unsafe
    assert "can't be read" in of(whole[:150_000] + bytes(8) + whole[150_008:]).why


def test_the_examples_models_are_onnx_with_their_tensors() -> None:
    model = next((ROOT / "store").glob("sha256-775ef938*/model.onnx"))
    found = of(model.read_bytes())
    assert found.format == "onnx" and not found.unsafe
    assert found.observed["inputs"] == [{"name": "features", "dtype": "float32", "shape": ["batch", 4]}]


def _wrappings(data: bytes) -> dict[str, bytes]:
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w") as archive:
        entry = tarfile.TarInfo("pickle")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    objects = io.BytesIO()
    np.save(objects, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return {
        "plain": data,
        "cut off": data[: len(data) // 2],
        "gzip": gzip.compress(data),
        "zlib": zlib.compress(data),
        "bz2": bz2.compress(data),
        "xz": lzma.compress(data),
        "in npz": zipped(arr__npy=data),
        "lzma": lzma.compress(data, format=lzma.FORMAT_ALONE),
        "torch": zipped(archive_data__pkl=data, **{"archive/data.pkl": data}),
        "in a zip under another name": zipped(weights__json=data),
        "tar": tarred.getvalue(),
        "objects in numpy": objects.getvalue(),
        "objects in npz": zipped(arr__npy=objects.getvalue()),
        "a zip that is cut off": zipped(weights__json=data)[:-30],
        "keras with a lambda": zipped(config__json=b'{"class_name": "Lambda"}', metadata__json=b"{}"),
        "hdf5 with a lambda": b"\x89HDF\r\n\x1a\n" + bytes(2_000_000) + b'"class_name": "Lambda"' + bytes(99),
    }


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_is_told_in_every_wrapping_and_never_loaded(protocol: int, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    for what, data in _wrappings(pickle.dumps(Canary(canary), protocol=protocol)).items():
        if what == "cut off" and protocol < 2:
            # Without a mark it is one as far as it calls something.
            data = pickle.dumps(Canary(canary), protocol=protocol)[:-1] + b"\xff rest"
        assert of(data).unsafe, what
    assert not canary.exists()
    # It is a canary: loading it writes the file.
    pickle.loads(pickle.dumps(Canary(canary), protocol=protocol)).close()
    assert canary.exists()


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b'{"a": [1, 2]}', b"numpy==1.0\n", b"flavors:\n  onnx: {}\n", b"x^2 is a square\n", b"artifact_path: model\n", b"cat\ndog\nbird\n", b"catboost==1.2\nnumpy==2.0\n", b"(a)\n", b"Pipeline\n", b"iris\nx\n", zlib.compress(b"a" * 99)],
)  # fmt: skip
def test_what_is_no_model_is_no_model_and_not_unsafe(data: bytes) -> None:
    assert of(data) == Detected()


def test_harmless_archives_and_arrays_are_not_unsafe() -> None:
    plain = io.BytesIO()
    np.savez(plain, a=np.arange(3.0))
    assert of(plain.getvalue()) == Detected()
    assert of(zipped(config__json=b"{}", metadata__json=b"{}", model__weights__h5=b"")) == Detected("keras")


def _lzma_zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", b"a" * 99)
    return stream.getvalue()


def test_an_archive_over_which_its_reader_stumbles_is_no_crash() -> None:
    damaged = _lzma_zip().replace(b"\x5d\x00\x00", b"\xff\x00\x00")
    assert of(damaged) == Detected(
        "zip", True, "an archive that can't be read, which others may read differently"
    )
    # A member without a name: some of Python's own readers fall over it, others do not.
    assert of(zipped(a=b"a").replace(b"\x01\x00\x00\x00", b"\x00\x00\x01\x00")).format in ("", "zip")


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (b'{"module": "keras.layers", "class_name": "Dense"}', None),
        (b'{"module": "tf_keras.src.layers", "a": {"module" : null, "class_name": "Own"}}', None),
        (b'{"module": "evil", "class_name": "Layer"}', "whose module is imported"),
        (b'{"module": "kerasevil", "class_name": "Layer"}', "whose module is imported"),
        (b'{"module":' + b" " * 3000 + b'"keras", "class_name": "Layer"}', "whose module is imported"),
        (b'{"\\u006dodule": "evil", "class_name": "Layer"}', "whose module is imported"),
        (b'{"module": "keras.layers", "class_name": "TorchModuleWrapper"}', "wrapped torch module"),
    ],
)
@pytest.mark.parametrize("before", [0, 2**20 - 9, 2**20 - 30, 2**20 - 600])
def test_what_a_keras_file_imports_is_told_also_in_hdf5(config: bytes, why: str | None, before: int) -> None:
    # Keras up to 3.8 imports the module that a layer of an .h5 names, as with a .keras.
    found = of(b"\x89HDF\r\n\x1a\n" + bytes(before) + config + bytes(99))
    assert (found.format, found.unsafe, (why or "") in found.why) == ("keras", why is not None, True)


def test_a_torch_module_in_a_keras_archive_is_a_pickle() -> None:
    config = b'{"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {}}'
    assert of(zipped(config__json=config, metadata__json=b"{}")).unsafe


def test_a_zip_bomb_is_not_unpacked() -> None:
    bomb = zipped(zeros__bin=bytes(300_000_000))
    assert len(bomb) < 1_000_000
    assert of(bomb) == Detected()


def _safetensors(dtype: str, shape: list[int], *places: tuple[int, int]) -> bytes:
    """Return a file of tensors, one for each place where its four bytes are."""
    ends = places or ((0, 4),)
    tensors = {
        f"t{at}": {"dtype": dtype, "shape": shape, "data_offsets": [*end]} for at, end in enumerate(ends)
    }
    header = json.dumps(tensors).encode()
    return struct.pack("<Q", len(header)) + header + bytes(max(last for _, last in ends))


def test_tensors_may_lie_in_any_order() -> None:
    assert of(_safetensors("F32", [1], (4, 8), (0, 4))).observed == {"parameters": 2}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (struct.pack("<Q", 5000) + b'{"a": 1', "cut off"),
        (struct.pack("<Q", 2) + b"{}" + bytes(7), "its size is not"),
        ((FIXTURES / "weights.safetensors").read_bytes()[:-1], "its size is not"),
        (struct.pack("<Q", 15) + b'{"a":{"b": [1]}' + bytes(4), "JSON|column"),
        (struct.pack("<Q", 16) + b'{"a":{"b": [1]}}', "no shape"),
        (_safetensors("F9", [10**15] * 60), "another space"),
        (_safetensors("F32", [1] * 65), "more than 64 dimensions"),
        (_safetensors("F32", [1], (0, 4), (0, 4)), "overlap"),
        (_safetensors("F32", [1], (0, 4), (8, 12)), "a hole"),
        (_safetensors("F32", [1], (4, 8)), "a hole"),
        ((FIXTURES / "booster.ubj").read_bytes()[:900], "cut off"),
        ((FIXTURES / "booster.json").read_bytes()[:900], "cut off"),
        ((FIXTURES / "booster.txt").read_bytes()[:900], "cut off"),
        (b'{"learner": ' + b"[" * 100_000, "cut off or damaged"),
        (b'{"version": [1]}', "without a learner"),
    ],
)  # fmt: skip
def test_a_header_that_lies_is_said(data: bytes, says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        of(data)


@pytest.mark.parametrize(
    "data",
    [b"[$Z#l\x7f\xff\xff\xff", b"[#l\x7f\xff\xff\xff", b"[$d#L\x7f" + b"\xff" * 7, b"[" * 50, b"Sl\x7f\xff\xff\xff", b"{i\x02", b"[$i#i\xff", b"?"],
)  # fmt: skip
def test_ubjson_that_claims_more_than_it_has_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read_ubjson(io.BytesIO(data))


@given(st.binary(max_size=300), st.sampled_from(sorted(FIXTURES.glob("*.*[!y]"))), st.integers(0, 3000))
def test_damage_gives_an_answer_or_an_error_of_ours(noise: bytes, file: Path, at: int) -> None:
    data = file.read_bytes()
    for changed in (noise, data[:at] + noise + data[at + len(noise) :]):
        try:
            of(changed)
        except Unreadable as error:
            assert error.message


def test_json_is_what_its_bytes_say_whatever_it_is_called() -> None:
    assert (
        of(json.dumps({"learner": {"objective": {"name": "x"}}, "version": [2, 0, 0]}).encode()).format
        == "xgboost"
    )


@pytest.mark.parametrize("width", ["²", "", "1" * 5000, "-1"])
def test_what_a_booster_says_that_is_no_number_is_left_out(width: str) -> None:
    text = f"tree\nversion=v4\nmax_feature_idx={width}\nobjective= \n\nTree=0\nend of trees\n"
    assert of(text.encode()).observed == {"producer": "lightgbm v4"}
    learner = {"learner_model_param": {"num_feature": width}}
    model = json.dumps({"learner": learner, "version": [2, 1]}, ensure_ascii=False)
    assert of(model.encode()).observed == {"producer": "xgboost 2.1"}
