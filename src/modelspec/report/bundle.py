"""The README of a bundle: what lies in it, and how the request is replayed without modelspec."""

from __future__ import annotations

import shlex

from modelspec.api.reproduce import INSTALL, Reproduced
from modelspec.api.trace import Traced
from modelspec.report.words import stamp
from modelspec.trace.candidates import GRADES
from modelspec.tree.text import visible


def bundle_readme(one: Traced, found: Reproduced, *, packed: str) -> str:
    """Return the README. `packed` says why the record is not there as arrays; "" when it is."""
    grade = one.identified.grade
    assert one.held is not None
    version = one.held.version
    at = stamp(one.at) if one.at is not None else "an unknown time"
    lines = [
        f"# Request {visible(one.record.id)}",
        "",
        f"Answered by {found.model} {found.version} ({found.digest}), at {at}.",
        f"Known by {grade}: {GRADES[grade] if grade is not None else ''}.",
        "",
        "| path | holds |",
        "|---|---|",
        "| trace.txt, trace.json | who answered, the values beside the contract, the decision |",
        "| record.json | the request and its answer as they were logged |",
        "| receipts/ | what was seen to serve in that environment, one file a change |",
        "| reproduce.json | what else lies here, and how exact each part is |",
        "| version.yaml, schemas/, params.yaml | the version, and the schemas it was trained on |",
        "| artifact/, lock/, code/, data/, compiled/ | its parts, as far as they could be had |",
    ]
    if not packed:
        lines.append("| record.npz | the request as arrays, and the answer that was logged |")
        lines.append(
            "| check_record.py, comparison.py | ask the model again; they need numpy and onnxruntime |"
        )
    gone = [piece for piece in found.pieces if piece.state == "missing"]
    if gone:
        lines += ["", "Not to be had when this was written:", ""]
        lines += [f"- {piece.component} {piece.what}: {visible(piece.note, 300)}" for piece in gone]
    lines += ["", "## Replay it without modelspec", ""]
    artifact = version.artifact
    model = artifact.files[0].path if artifact is not None and artifact.files else "model.onnx"
    threads = version.runtime.threads if version.runtime is not None and version.runtime.threads else 1
    if packed:
        lines.append(f"It can't be: {visible(packed, 300)}.")
    else:
        if artifact is not None and any(piece.what == "artifact" for piece in gone):
            digests = ", ".join(f"artifact/{visible(one.path, 200)} ({one.digest})" for one in artifact.files)
            lines += [f"Put the artifact here first: {digests}.", ""]
        hashes = " --require-hashes" if found.hashed else ""
        command = f"venv/bin/python check_record.py {shlex.quote(f'artifact/{model}')} record.npz"
        command += f" {threads} {version.tolerance or 0.0!r}"
        lines += [
            "```sh",
            f"python{found.python or '3'} -m venv venv",
            *(
                [f"venv/bin/pip install --no-deps{hashes} -r {INSTALL}"]
                if found.hashed is not None
                else ["venv/bin/pip install numpy onnxruntime   # no lock is here that pip installs"]
            ),
            command,
            "```",
            "It prints one JSON object with the verdict, and ends with 0 when the answer is the same.",
        ]
    return "\n".join(lines) + "\n"
