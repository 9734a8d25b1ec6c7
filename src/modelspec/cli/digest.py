"""`modelspec digest`."""

from __future__ import annotations

from pathlib import Path

import click

from modelspec.tree.finding import Fault
from modelspec.tree.text import visible, visible_lines


@click.command("digest")
@click.argument("path", type=click.Path(exists=True))
@click.option("--artifact", is_flag=True, help="Take a YAML file for artifact bytes, not for a document.")
@click.option("--listing", is_flag=True, help="Print the sha256sum listing that an artifact digest is of.")
def digest_command(path: str, artifact: bool, listing: bool) -> int:
    """Print a digest.

    Of a YAML document its spec digest: sha256 of its RFC 8785 canonical JSON, which layout and comments
    do not change. Of a folder, or of any other file, the artifact digest: sha256 of what `sha256sum`
    prints for its files, sorted by path.

    \b
    Examples:
      modelspec digest registry/models/eta/versions/2.3.1.yaml
      modelspec digest store/sha256-.../
    """
    found = Path(path)
    if found.suffix in (".yaml", ".yml") and found.is_file() and not artifact and not listing:
        return _document(found)
    from modelspec.tree import digest
    from modelspec.world.files import tree_files

    files = [(file.path, file.digest) for file in tree_files(found)]
    click.echo(digest.listing(files).decode() if listing else digest.artifact_digest(files), nl=not listing)
    return 0


def _document(path: Path) -> int:
    from modelspec.tree.digest import spec_digest
    from modelspec.tree.snapshot import LIMIT
    from modelspec.tree.yaml import read

    with path.open("rb") as file:
        # One byte more than the limit is enough to be told that it is too large.
        data, faults = read(file.read(LIMIT + 1))
    for fault in faults:
        click.echo(_line(path, fault), err=True)
    if faults:
        return 1
    click.echo(spec_digest(data))
    return 0


def _line(path: Path, fault: Fault) -> str:
    where = f":{fault.mark.line}:{fault.mark.column}" if fault.mark else ""
    fix = f"\n  fix: {visible_lines(fault.fix)}" if fault.fix else ""
    return f"{visible(str(path), 300)}{where}: {fault.rule}\n  {visible_lines(fault.message)}{fix}"
