"""Code beside an MLmodel; the MLmodel files are as mlflow 3.17 wrote them."""

from __future__ import annotations

import time

import pytest

from modelspec.formats.mlcode import by_content, by_name

PYFUNC = b"""flavors:
  python_function:
    code: code
    loader_module: mlflow.sklearn
    model_path: model.skops
  sklearn:
    code: code
    pickled_model: model.skops
    serialization_format: skops
"""
SCRIPT = b"""flavors:
  python_function:
    code: null
    loader_module: mlflow.pyfunc.loaders.code_model
    model_code_path: /home/me/agent.py
"""
PATHS = ["MLmodel", "agent.py", "code/a.py", "code/b/c.SO", "code/data.csv", "other/d.py", "model.skops"]


def test_the_folder_that_mlflow_names_itself_is_known_by_its_name() -> None:
    assert by_name(PATHS) == ["code/a.py", "code/b/c.SO"]
    assert by_name([f"sub/{path}" for path in PATHS]) == ["sub/code/a.py", "sub/code/b/c.SO"]
    assert by_name(["code/a.py", "sub/MLmodel", "sub/mycode/a.py"]) == []


@pytest.mark.parametrize(
    ("source", "more"),
    [
        (PYFUNC, []),
        (SCRIPT, ["agent.py"]),
        (SCRIPT.replace(b"/home/me/", b"C:\\\\me\\\\"), ["agent.py"]),
        (PYFUNC.replace(b"code: code", b"code: ./other/"), ["other/d.py"]),
        (PYFUNC.replace(b"code: code", b"code: ."), ["agent.py", "other/d.py"]),
        # What nobody here can say is taken for all that it may be.
        (PYFUNC.replace(b"code: code", b"code: x/../other"), ["agent.py", "other/d.py"]),
        (b"flavors: [", ["agent.py", "other/d.py"]),
        (b"nothing: else\n", ["agent.py", "other/d.py"]),
        (b"\xff", ["agent.py", "other/d.py"]),
    ],
)
def test_an_mlmodel_names_what_is_imported(source: bytes, more: list[str]) -> None:
    wanted = {"code/a.py", "code/b/c.SO", *more}
    assert set(by_content(PATHS, {"MLmodel": source})) == wanted


def test_each_model_of_a_tree_has_its_own() -> None:
    paths = ["one/MLmodel", "one/agent.py", "two/MLmodel", "two/agent.py", "agent.py"]
    assert by_content(paths, {"one/MLmodel": SCRIPT, "two/MLmodel": PYFUNC}) == ["one/agent.py"]
    assert by_content(["agent.py"], {}) == []


def test_many_models_beside_much_code_are_told_apart_at_once() -> None:
    models = [f"{number}/MLmodel" for number in range(20_000)]
    code = [f"{number}/code/a.py" for number in range(20_000)] + [
        f"x/{number}.py" for number in range(20_000)
    ]
    begin = time.process_time()
    assert by_name(models + code) == code[:20_000]
    broken = dict.fromkeys(models[:5000], b"flavors: [")
    assert by_content(models + code, broken) == code[:20_000]
    assert time.process_time() - begin < 20


def test_a_folder_that_only_begins_like_one_of_code_is_none() -> None:
    assert by_name(["MLmodel", "code/a.py", "code.py", "codes/a.py", "more/code/a.py"]) == ["code/a.py"]
