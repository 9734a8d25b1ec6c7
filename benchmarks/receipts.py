"""Measures receipts, whole processes: 27,000 of them, 300 changes a day for 90 days.

    python benchmarks/receipts.py

Prints the CPU time of modelspec and its gits, the memory, and the size of the pack (docs/receipts.md).
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

EXAMPLE: Final = Path(__file__).parent.parent
MODELSPEC: Final = str(Path(sys.executable).with_name("modelspec"))
MODELS, DAYS, CHANGES = 20, 90, 675
START: Final = datetime(2026, 8, 27, tzinfo=UTC)
IDENTITY: Final = {
    "GIT_AUTHOR_NAME": "Bench", "GIT_AUTHOR_EMAIL": "bench@example.com",
    "GIT_COMMITTER_NAME": "Bench", "GIT_COMMITTER_EMAIL": "bench@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
}  # fmt: skip


def receipts() -> Iterator[str]:
    """Yield 27,000 observations as lines; of every three, one is a canary and one says nothing new."""
    choice = random.Random(1)
    for number in range(MODELS):
        for environment in ("staging", "production"):
            for change in range(CHANGES):
                since = START + timedelta(days=DAYS * change / CHANGES, seconds=choice.randint(0, 600))
                slots = [_slot("stable", number, change // 3, 100 if change % 3 else 90)]
                if change % 3 == 0:
                    slots.insert(0, _slot("canary", number, change // 3 + 1, 10))
                yield json.dumps({
                    "kind": "Receipt", "environment": environment,
                    "model": f"m{number}" if number else "eta", "slots": slots,
                    "since": _text(since), "observed": _text(since + timedelta(seconds=40)),
                    "commit": hashlib.sha1(since.isoformat().encode(), usedforsecurity=False).hexdigest(),
                    "source": "argocd", "evidence": f"Application argocd/{environment}, history {change}",
                })  # fmt: skip


def _slot(name: str, model: int, version: int, share: int) -> dict[str, object]:
    digest = hashlib.sha256(f"{model}-{version}".encode()).hexdigest()
    return {"slot": name, "digest": f"sha256:{digest}", "share": share}


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def run(root: Path, *arguments: str) -> tuple[float, float]:
    """Run modelspec; return the CPU seconds of it and its children, and its memory in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        [MODELSPEC, *arguments], cwd=root, env={**os.environ, **IDENTITY}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in (0, 1), arguments
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, usage.ru_maxrss / 1024


def looked_up(root: Path, times: int = 20) -> float:
    """Return the CPU seconds of one look-up in this process, its git included: 450 receipts of one model."""
    from modelspec.trace.receipts import fold
    from modelspec.trace.served import of_pin, served_then
    from modelspec.world.git import open_repository
    from modelspec.world.receipts import Branch, split, tips

    repository, prefix, _ = open_repository(str(root))

    def spent() -> float:
        some = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in some)

    began = spent()
    for _ in range(times):
        with Branch(repository, tips(repository), prefix) as branch:
            found, _bad = split(branch.of("production", "m7"))
        then = served_then(of_pin(fold(found), "production", "m7"), datetime(2026, 10, 1, tzinfo=UTC))
        assert then.reached
    return (spent() - began) / times


def main() -> None:
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory(prefix="modelspec-bench-") as folder:
        root = Path(folder) / "registry"
        for name in ("registry", "templates"):
            shutil.copytree(EXAMPLE / name, root / name)
        for words in (
            ("init", "--quiet", "-b", "main"),
            ("add", "."),
            ("commit", "--quiet", "-m", "The example"),
        ):
            subprocess.run(["git", *words], cwd=root, env={**os.environ, **IDENTITY}, check=True)
        past = Path(folder) / "past"
        past.mkdir()
        (past / "all.jsonl").write_text("\n".join(receipts()) + "\n")
        (root / "saved.json").write_text(json.dumps(_answer(root)))
        at = "2026-10-01T00:00:00Z"
        rows = [
            ("import of 27,000", ("receipts", "import", str(past))),
            ("the same again", ("receipts", "import", str(past))),
            ("one new receipt", ("observe", "--env", "production", "saved.json")),
            ("a look that sees nothing new", ("observe", "--env", "production", "saved.json")),
            ("what served at an instant, one model", ("at", at, "eta", "production", "--served")),
            ("what was declared, one model", ("at", at, "eta", "production")),
            ("what served at an instant, all 40 pins", ("at", at, "--served")),
            ("drift of all of them", ("drift",)),
        ]
        print("| what | CPU s | MB |\n|---|---|---|")
        for what, words in rows:
            spent, memory = run(root, *words)
            print(f"| {what} | {spent:.2f} | {memory:.0f} |")
        print(f"\nthe look-up by itself: {looked_up(root) * 1000:.0f} ms")
        packs = sum(file.stat().st_size for file in (root / ".git/objects/pack").iterdir())
        print(f"pack: {packs / 1e6:.1f} MB")


def _answer(root: Path) -> object:
    done = subprocess.run(
        [MODELSPEC, "digest", "registry/models/eta/versions/2.3.1.yaml"], cwd=root, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    said = {"digest": done.stdout.strip(), "model": "eta", "slot": "stable"}
    return {"name": "eta", "inputs": [], "outputs": [], "parameters": said}


if __name__ == "__main__":
    main()
