"""Every line of a serving config has an origin: the leaf that moves it, or the template's own line."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from conftest import ROOT
from modelspec.change.blame import BlamedLine, blame_output, line_commits, moved, output_paths
from modelspec.change.perturb import leaf_routes, others
from modelspec.compile.render import HoleRenderer
from modelspec.rules.rule import Scene
from modelspec.spec.history import Commit, Revision
from modelspec.spec.kinds import PIN
from modelspec.spec.registry import Registry
from modelspec.tree.snapshot import REGULAR, Blob, DictSnapshot, Patched


def scene(**edits: tuple[str, str]) -> Scene:
    files = [
        path for folder in ("registry", "templates") for path in (ROOT / folder).rglob("*") if path.is_file()
    ]
    tree = DictSnapshot({path.relative_to(ROOT).as_posix(): path.read_bytes() for path in files})
    patch = {}
    for path, (old, new) in edits.items():
        data = tree.get(path).read()  # type: ignore[union-attr]
        assert isinstance(data, bytes)
        assert data.count(old.encode()) == 1
        patch[path] = data.replace(old.encode(), new.encode())
    return Scene(Registry(Patched(tree, patch)), HoleRenderer())


def blamed(place: Scene, environment: str, model: str, file: str) -> tuple[BlamedLine, ...]:
    pin = place.registry.value(PIN, environment, model)
    assert pin is not None
    found = blame_output(place, pin, f"compiled/{environment}/models/{model}/{file}")
    assert found is not None
    return found


def origins(lines: tuple[BlamedLine, ...], text: str) -> list[str]:
    (line,) = [line for line in lines if line.text.strip() == text]
    return [f"{origin.path}:{'/'.join(map(str, origin.route)) or origin.line}" for origin in line.origins]


def test_every_line_of_every_config_of_the_example_has_an_origin_that_is_there() -> None:
    place = scene()
    count = 0
    for pin in place.registry.entries(PIN):
        for path in output_paths(place, pin):
            lines = blame_output(place, pin, path)
            assert lines is not None
            written = "".join(f"{line.text}\n" for line in lines)
            assert written == (ROOT / path).read_text(), path
            for line in lines:
                assert line.origins, (path, line.text)
                for origin in line.origins:
                    data = (ROOT / origin.path).read_text().split("\n")
                    assert 1 <= origin.line <= len(data)
                count += 1
    assert count > 200


def test_values_come_from_their_files_and_from_the_pin_that_chose_them() -> None:
    lines = blamed(scene(), "production", "eta", "kserve/inference-service.yaml")
    pin, version = (
        "registry/environments/production/models/eta.yaml",
        "registry/models/eta/versions/2.3.0.yaml",
    )
    chosen = f"{pin}:stable/version"
    assert origins(lines, "minReplicas: 2") == [f"{pin}:serve/kserve/replicas/min"]
    assert origins(lines, 'modelspec/version: "2.3.0"') == [f"{version}:version", chosen]
    (image,) = [line.text.strip() for line in lines if "image:" in line.text]
    assert origins(lines, image) == [f"{version}:runtime/image", chosen]
    (short,) = [line.text.strip() for line in lines if re.search(r'stamp: "?[0-9a-f]{32}"?$', line.text)]
    assert origins(lines, short) == [chosen]
    assert origins(lines, "kind: InferenceService") == ["templates/kserve/inference-service.yaml.j2:2"]
    uri = next(line.text.strip() for line in lines if "storageUri" in line.text)
    assert "registry/modelspec.yaml:stores/main/uri" in origins(lines, uri)
    table = [one for one in origins(lines, "name: onnx") if one.startswith("templates/kserve/target.yaml")]
    assert table == ["templates/kserve/target.yaml:tables/model_format/onnx"]


def test_a_condition_and_a_derived_value_are_found_by_trying() -> None:
    place = scene()
    lines = blamed(place, "staging", "fraud", "kserve/route.yaml")
    pin = "registry/environments/staging/models/fraud.yaml"
    # What stable answers follows from the weight of the canary: no hole says so.
    assert f"{pin}:canary/weight" in origins(lines, "weight: 90")
    assert f"{pin}:canary/weight" in origins(lines, "weight: 10")


def test_a_template_that_only_compares_is_blamed_as_well() -> None:
    old = "    serving.kserve.io/deploymentMode: Standard\n"
    new = old + '    size: {{ "small" if params.replicas.max < 500 else "large" }}\n'
    place = scene(**{"templates/kserve/inference-service.yaml.j2": (old, new)})
    lines = blamed(place, "production", "eta", "kserve/inference-service.yaml")
    assert origins(lines, "size: small") == [
        "registry/environments/production/models/eta.yaml:serve/kserve/replicas/max"
    ]


def test_a_path_that_the_pin_does_not_write_has_no_lines() -> None:
    place = scene()
    pin = place.registry.value(PIN, "production", "eta")
    assert pin is not None
    assert blame_output(place, pin, "compiled/production/models/eta/manifest.json") is None


def test_moved_lines() -> None:
    assert moved(["a", "b", "c"], ["a", "x", "c"]) == {1}
    assert moved(["a", "b", "c"], ["a", "c"]) == {1}
    assert moved(["a", "c"], ["a", "b", "c"]) == set()


def test_another_value_has_the_same_form() -> None:
    digest = "sha256:" + "a" * 64
    (changed,) = others(digest)
    assert isinstance(changed, str)
    assert re.fullmatch("sha256:[0-9a-f]{64}", changed)
    assert changed[7] != "a"
    assert changed[-1] != "a"
    assert (others("2.3.9"), others(True), others("x"), others(None)) == (("2.3.10",), (False,), ("xx",), ())
    assert others("1.0.0-rc.1") == ("1.0.0-rc.2",)
    assert len(set(others(1))) == 3
    assert list(leaf_routes({"a": [1, None, {"b": "c"}]})) == [("a", 0), ("a", 2, "b")]


def test_a_line_comes_from_the_last_commit_that_wrote_it() -> None:
    commits = [Commit(str(n) * 40, datetime(2026, 1, 1 + n, tzinfo=UTC), "A", "a", "s") for n in range(4)]
    texts: list[str | None] = ["a\nb\n", "a\nx\nb\n", None, "a\nb\n"]
    revisions = [
        Revision(commit, None if text is None else Blob(REGULAR, text.encode))
        for commit, text in zip(commits, texts, strict=True)
    ]
    assert [one.id[0] for one in line_commits(revisions[:2])][:3] == ["0", "1", "0"]
    assert {one.id[0] for one in line_commits(revisions)} == {"3"}
