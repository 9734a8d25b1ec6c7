"""What a compile writes: one pin, its own files; nothing of the tool, the time or the rest."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from compile.registries import FRAUD, ROOT, compiled, example, found, pin, scene
from modelspec.compile.outputs import outputs_for
from modelspec.compile.render import HoleRenderer
from modelspec.spec.kinds import FEATURE_PIN, PIN, SCHEMA
from modelspec.tree.data import Data
from modelspec.tree.protocols import Rendered, RenderFault

FOLDER = "compiled/production/models/fraud/"


def manifest(outputs: dict[str, bytes], folder: str = FOLDER) -> Any:
    return json.loads(outputs[folder + "manifest.json"])


def test_the_example_compiles() -> None:
    where = scene()
    assert found(where) == ()
    outputs = compiled(where)
    assert list(outputs) == sorted(outputs)
    assert all(data.endswith(b"\n") for data in outputs.values())
    folders = {"/".join(path.split("/")[:4]) for path in outputs}
    assert folders == {
        *(
            f"compiled/{place}/models/{model}"
            for place in ("production", "staging")
            for model in ("eta", "fraud")
        ),
        *(
            f"compiled/{place}/features/{view}"
            for place in ("production", "staging")
            for view in ("trip_features", "payment_features")
        ),
    }


def test_a_manifest_lists_all_that_went_in_and_came_out() -> None:
    outputs = compiled(scene())
    listed = manifest(outputs)
    beside = {path.removeprefix(FOLDER) for path in outputs if path.startswith(FOLDER)} - {"manifest.json"}
    assert set(listed["outputs"]) == beside
    for path, digest in listed["outputs"].items():
        assert digest == "sha256:" + hashlib.sha256(outputs[FOLDER + path]).hexdigest()
    inputs = listed["inputs"]
    assert list(inputs["versions"]) == ["1.0.0", "1.1.0"]
    assert list(inputs["schemas"]) == ["payment_features"]
    for name, files in inputs["targets"].items():
        for file, digest in files.items():
            assert digest == "sha256:" + hashlib.sha256(example()[f"templates/{name}/{file}"]).hexdigest()
    assert set(inputs["targets"]) == {"kserve", "mlserver"}
    assert {"inference-service.yaml.j2", "params.schema.json", "target.yaml"} < set(
        inputs["targets"]["kserve"]
    )


def test_a_hold_and_a_reason_change_nothing_that_is_compiled() -> None:
    plain = pin("stable: 1.1.0")
    held = plain.replace(
        b"serve:",
        b"reason: {text: Late, link: https://tracker.example.com/1}\n"
        b"hold: {text: Wait, link: https://tracker.example.com/2}\nserve:",
    )
    assert compiled(scene({FRAUD: plain})) == compiled(scene({FRAUD: held}))


def test_another_version_changes_the_files_of_its_pin_and_no_others() -> None:
    before, after = compiled(scene()), compiled(scene({FRAUD: pin("stable: 1.2.0")}))
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert changed and all(path.startswith(FOLDER) for path in changed)


def test_a_pin_that_is_not_served_compiles_to_nothing() -> None:
    data = pin("stable: 1.1.0").replace(b"serve: {mlserver: {}}\n", b"")
    where = scene({FRAUD: data})
    assert found(where) == ()
    assert not [path for path in compiled(where) if path.startswith(FOLDER)]


def test_each_pin_compiles_alone_to_what_it_compiles_to_among_others() -> None:
    where = scene()
    together = compiled(where)
    apart: dict[str, bytes] = {}
    for entry in where.registry.entries(PIN):
        apart |= outputs_for(scene(), [entry], [])
    for served in where.registry.entries(FEATURE_PIN):
        apart |= outputs_for(scene(), [], [served])
    assert apart == together


def test_rules_and_outputs_share_one_rendering() -> None:
    class Counting(HoleRenderer):
        count = 0

        def render(self, source: str, context: Any) -> Rendered | RenderFault:
            Counting.count += 1
            return super().render(source, context)

    where = scene(renderer=Counting())
    found(where)
    outputs = compiled(where)
    written = [path for path in outputs if "/models/" in path and not path.endswith("manifest.json")]
    assert Counting.count == len(written)


def test_a_feature_lock_says_what_a_pipeline_must_serve() -> None:
    where = scene(
        {
            "registry/features/trip_features/1.yaml": example()[
                "registry/features/trip_features/1.yaml"
            ].replace(b"  - name: city\n", b"  - name: city\n    alias: town\n")
        }
    )
    outputs = compiled(where)
    folder = "compiled/production/features/trip_features/"
    lock = json.loads(outputs[folder + "lock.json"])
    schema = where.registry.value(SCHEMA, "trip_features", "1")
    assert schema is not None
    code = schema.document.value(("code",))
    served = lock.pop("serves")
    assert lock == {
        "format": "modelspec/feature-lock/1",
        "environment": "production",
        "view": "trip_features",
        "access": "current",
    }
    (one,) = served
    assert one["number"] == 1 and one["digest"].startswith("sha256:") and one["code"] == code
    assert one["entity"] == "trip_id"
    assert [field["name"] for field in one["fields"]] == [field.name for field in schema.value.fields]
    assert one["fields"][1] == {"name": "city", "dtype": "float32", "alias": "town"}
    listed = manifest(outputs, folder)
    assert listed["outputs"] == {
        "lock.json": "sha256:" + hashlib.sha256(outputs[folder + "lock.json"]).hexdigest()
    }
    assert list(listed["inputs"]) == ["pin", "schemas"]


SCRIPT = """
import hashlib, random, sys
from compile.registries import compiled, example, scene
files = list(example().items())
random.Random(int(sys.argv[1])).shuffle(files)
example().clear()
example().update(files)
outputs = compiled(scene())
print(len(outputs), hashlib.sha256(repr(list(outputs.items())).encode()).hexdigest())
"""


def test_the_same_input_gives_the_same_bytes_anywhere() -> None:
    answers = set()
    for seed, locale, zone in (
        ("0", "C", "UTC"),
        ("1", "tr_TR.UTF-8", "Asia/Kolkata"),
        ("4242", "POSIX", "EST5EDT"),
    ):
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
        environment |= {"PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": zone}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, seed], env=environment, capture_output=True, text=True, check=True
        )
        answers.add(done.stdout)
    assert len(answers) == 1
    assert int(answers.pop().split()[0]) > 20


class Lying:
    """A renderer that was taken over by what it renders."""

    def __init__(self, answer: Rendered | RenderFault) -> None:
        self.answer = answer

    def render(self, source: str, context: dict[str, Data]) -> Rendered | RenderFault:
        return self.answer


@pytest.mark.parametrize(
    "answer",
    [
        RenderFault("pin-digest-matches", "all \x1b[31m is well\n::error::", 99_999, "do\nthis"),
        RenderFault("", "", None),
        Rendered({"slots": "x\ud800"}, ()),
        Rendered([[[[float("nan")]]]], ()),
        Rendered({"debug": False, "parallel_workers": 0}, ()),
    ],
)
def test_a_renderer_that_lies_gives_findings_and_no_outputs(answer: Rendered | RenderFault) -> None:
    where = scene({FRAUD: pin("stable: 1.1.0")}, renderer=Lying(answer))
    codes = {one.code for one in found(where)}
    assert codes and codes <= {"MS604", "MS605", "MS609"}
    for one in found(where):
        assert "\n" not in one.message and "\x1b" not in one.message
        one.message.encode()


def test_the_catalogue_s_own_templates_do_not_need_the_other_process() -> None:
    digests = frozenset(
        "sha256:" + hashlib.sha256(data).hexdigest()
        for path, data in example().items()
        if path.endswith(".j2")
    )
    where = scene(renderer=Lying(RenderFault("render-bounded", "asked")), trusted=digests)
    assert found(where) == ()
    assert compiled(where) == compiled(scene())
    edited = scene(
        {"templates/mlserver/settings.json.j2": b"debug: false\nparallel_workers: 0\n"},
        renderer=Lying(RenderFault("render-bounded", "asked")), trusted=digests,
    )  # fmt: skip
    assert {one.code for one in found(edited)} == {"MS609"}


def test_a_template_that_is_wrong_is_said_once_however_many_pins_use_it() -> None:
    where = scene({"templates/mlserver/settings.json.j2": b"debug: no\n"})
    (one,) = found(where)
    assert (one.code, one.place.path) == ("MS608", "templates/mlserver/settings.json.j2")
    assert one.place.mark is not None and one.place.mark.line == 1
