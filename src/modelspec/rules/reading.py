"""MS0, one file at a time: a file that could not be read as its kind says why.

The reader finds the faults (tree/yaml.py, spec/reader.py); each is named for one of these rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from modelspec.rules.rule import FILE, Scene, rule
from modelspec.spec.reader import Broken
from modelspec.tree.finding import FaultName, Problem
from modelspec.tree.place import Place


def _named(name: FaultName, broken: Broken[Any]) -> Iterator[Problem]:
    for fault in broken.faults:
        if fault.rule == name:
            place = Place(broken.path, fault.route, fault.mark, fault.key)
            yield Problem(place, fault.message, fix=fault.fix)


@rule("MS001", "file-regular", of=FILE)
def file_regular(broken: Broken[Any], scene: Scene) -> Iterator[Problem]:
    """A file that modelspec reads is a regular file inside the repository, and readable.

    *Why:* a link or a device makes the reader open something that nobody reviewed, on the machine of
    whoever checks the pull request.

    *Fix:* commit a regular file in its place.
    """
    return _named("file-regular", broken)


@rule("MS002", "text-clean", of=FILE)
def text_clean(broken: Broken[Any], scene: Scene) -> Iterator[Problem]:
    """A file is UTF-8 of at most 1 MiB, with LF line ends, and shows all that it holds.

    No byte order mark, no NUL or other control character, no zero-width or reordering character,
    neither raw nor as an escape.

    *Why:* what a reviewer can't see can't be reviewed.

    *Fix:* save the file as UTF-8 without BOM and with LF; remove the character at the place shown.
    """
    return _named("text-clean", broken)


@rule("MS003", "yaml-subset", of=FILE)
def yaml_subset(broken: Broken[Any], scene: Scene) -> Iterator[Problem]:
    """A file is one YAML document of maps, lists and scalars.

    No anchor, alias, tag, directive, merge key, complex or repeated key, no second document; at most
    32 levels, 200,000 values, and 64 KiB a text.

    *Why:* readers of YAML disagree on the rest or can be made to hang on it; a key that stands twice
    has two meanings.

    *Fix:* write values out where they are used, and each key once.
    """
    return _named("yaml-subset", broken)


@rule("MS004", "scalar-plain", of=FILE)
def scalar_plain(broken: Broken[Any], scene: Scene) -> Iterator[Problem]:
    """A plain scalar means the same to every reader of YAML.

    `no`, `on`, `012`, `1_000`, `1:30`, `1e-3`, dates and numbers beyond 2^53 do not.

    *Why:* YAML 1.1, YAML 1.2 and Go's reader type them differently, and a version `1.10` that became
    1.1 pins another model.

    *Fix:* quote it where text is meant; write the number that is printed where a number is meant.
    """
    return _named("scalar-plain", broken)


@rule("MS005", "kind-known", of=FILE)
def kind_known(broken: Broken[Any], scene: Scene) -> Iterator[Problem]:
    """A file of the registry begins with the apiVersion and the kind that belong to its path.

    *Why:* a format that is not known must be refused, not guessed: the next version of it may give the
    same keys another meaning.

    *Fix:* write the two lines that are printed, or move the file to where its kind lives.
    """
    return _named("kind-known", broken)


@rule("MS006", "keys-known", of=FILE)
def keys_known(broken: Broken[Any], scene: Scene) -> Iterator[Problem]:
    """Every key of a file is one that its kind has.

    *Why:* a key that is ignored is a decision that somebody believes to have made.

    *Fix:* correct the spelling, or remove the key. Free text belongs in `description`.
    """
    return _named("keys-known", broken)


@rule("MS007", "value-typed", of=FILE)
def value_typed(broken: Broken[Any], scene: Scene) -> Iterator[Problem]:
    """Every value has the type and the form that its key asks for, and no required key is missing.

    *Why:* an unquoted `1.10` is a number, and silently 1.1; a digest in upper case is not found again.

    *Fix:* quote what is text; write the form that is printed.
    """
    return _named("value-typed", broken)


@rule("MS008", "name-matches-path", of=FILE)
def name_matches_path(broken: Broken[Any], scene: Scene) -> Iterator[Problem]:
    """The names in a file equal the names in its path.

    *Why:* a copied file that still carries the old name would be two things at once.

    *Fix:* correct the name in the file, or move the file.
    """
    return _named("name-matches-path", broken)
