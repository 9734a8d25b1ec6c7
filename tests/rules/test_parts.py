"""Judged in parts beside one another or in one go: the same findings, in the same order."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from modelspec.api.build import build
from modelspec.api.catalogue import CATALOGUE
from modelspec.compile.render import HoleRenderer
from modelspec.rules.rule import Scene
from modelspec.rules.run import run, together
from modelspec.spec.instant import instant
from modelspec.spec.part import Part, Share
from modelspec.tree.finding import Finding, Related
from modelspec.tree.place import Place
from rules.cases import NOW, cases, codes, opened

T = TypeVar("T")
PATHS = [
    "registry/modelspec.yaml",
    *(f"registry/models/m{number}/versions/1.0.0.yaml" for number in range(40)),
    *(f"registry/environments/production/features/v{number}.yaml" for number in range(40)),
]


def parts_of(count: int) -> Share:
    """Judge in so many parts, none of which sees what another one works out."""

    def share(work: Callable[[Part], T]) -> list[T]:
        return [pickle.loads(pickle.dumps(work(Part(index, count)))) for index in range(count)]

    return share


def firing() -> Iterator[tuple[str, dict[str, object]]]:
    for code in codes():
        yield from ((code, case) for case in cases(code) if case["finds"])


@pytest.mark.parametrize("code", codes())
def test_parts_find_what_the_whole_finds(code: str) -> None:
    for case in cases(code):
        at = instant(str(case.get("now", NOW)))
        whole, three = (
            run(
                CATALOGUE,
                Scene(registry, HoleRenderer(), CATALOGUE, at, beside),
                **({"share": parts_of(3)} if parts else {}),
            )
            for parts in (False, True)
            for registry, beside in [opened(case)]
        )
        assert three == whole, case["name"]


@pytest.mark.parametrize("code", [code for code in codes() if code[2] in "6135"])
def test_parts_compile_to_what_the_whole_compiles_to(code: str) -> None:
    for case in cases(code):
        whole, three = (
            build(
                opened(case)[0],
                renderer=HoleRenderer(),
                trusted=frozenset(),
                **({"share": parts_of(3)} if parts else {}),
            )
            for parts in (False, True)
        )
        assert three == whole, case["name"]
        assert list(three.outputs) == list(whole.outputs)


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_every_file_is_in_one_part(of: int) -> None:
    for path in PATHS:
        assert sum(Part(index, of).has(path) for index in range(of)) == 1


@pytest.mark.parametrize("of", [2, 3, 7])
def test_what_bears_a_models_name_is_in_its_part(of: int) -> None:
    for index in range(of):
        for model in ("eta", "fraud", "a.b-c"):
            homes = {
                Part(index, of).has(path)
                for path in (
                    f"registry/models/{model}/model.yaml",
                    f"registry/models/{model}/versions/2.3.1.yaml",
                    f"registry/environments/staging/models/{model}.yaml",
                    f"registry/environments/models/models/{model}.yaml",
                )
            }
            assert len(homes) == 1


def test_work_is_spread() -> None:
    shares = [sum(Part(index, 4).has(path) for path in PATHS) for index in range(4)]
    assert min(shares) > len(PATHS) / 8


def test_a_template_that_several_parts_find_wrong_is_told_once_at_the_first_pin() -> None:
    def at(pin: str) -> Finding:
        related = (Related(Place(f"registry/environments/{pin}.yaml"), "rendered for x"),)
        return Finding("MS603", "hole-whole", "error", Place("templates/a/x.j2"), pin, related=related)

    own = Finding("MS301", "schema-served", "error", Place("registry/a.yaml"), "one")
    assert together([[at("b/models/x"), own], [at("a/models/y")]]) == [own, at("a/models/y")]
    assert together([[own], [own]]) == [own]
