"""The demo: from the training script's output to a version that serves, is promoted over, and comes back.

    make demo

Works in a scratch clone of HEAD, with a real MLServer on free ports, and leaves nothing behind.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from clone import SERVING, Clone, Failed
from engine import ENVIRONMENT, MODEL, serving
from observing import looked, told
from registering import emptied, pinned, registered, trained
from steps import PIN, carried_out, promote, step, verdict

PREVIOUS, NEXT = "2.3.0", "2.3.1"


def demo(folder: Path) -> None:
    """Run all steps; raise Failed at the first that does not hold."""
    step(1, "A scratch clone of this repository, with nothing registered; the example's models are trained.")
    clone = Clone(folder)
    published = emptied(clone)
    rows = trained(clone, folder / "trained")

    step(2, "Each is registered from what the script wrote, with golden answers and bins of its sample.")
    artifacts = registered(clone, rows)
    if artifacts == published:
        print("    yes  these are the published artifacts, bit for bit")
    else:
        # Another processor may round the last bit of a split otherwise.
        print(
            "    this machine trains other bits than those that are published; they are what is served here"
        )

    step(3, "The pins name them; the registry is judged and compiled.")
    pinned(clone)
    clone.say("modelspec", "check")
    clone.say("modelspec", "compile")
    clone.commit("Compile")
    compiled = clone.compiled()

    step(4, f"MLServer serves what is compiled for {MODEL} in {ENVIRONMENT}, and says which version answers.")
    with serving(clone, folder) as engine:
        first = engine.ask()
        verdict("a receipt says so", looked(clone, ENVIRONMENT, engine.address, PREVIOUS))

        step(5, f"{NEXT} is promoted: one line in one file, reviewed and merged like any other change.")
        promote(clone, NEXT)
        clone.say("git", "diff", "--unified=0", "--no-color", "--", PIN)
        clone.say("modelspec", "check")
        clone.say("modelspec", "compile")
        clone.commit(f"Promote {MODEL} {NEXT} to {ENVIRONMENT}")
        engine.reload()
        second = engine.ask()
        if json.loads(second)["model_version"] != NEXT:
            raise Failed(f"the engine does not serve {NEXT}")
        verdict("a receipt says so", looked(clone, ENVIRONMENT, engine.address, NEXT))

        step(6, "The promotion is reverted. That is the whole rollback.")
        clone.say("git", "revert", "--no-edit", "HEAD")
        clone.say("modelspec", "check")
        clone.say("modelspec", "compile")
        engine.reload()
        third = engine.ask()
        verdict("a receipt says so", looked(clone, ENVIRONMENT, engine.address, PREVIOUS))

    step(7, "What came back is what was there before.")
    verdict("every byte of the engine's answer", third == first)
    verdict("every byte of what is compiled", clone.compiled() == compiled)
    verdict("nothing is left uncommitted", not clone.run("git", "status", "--porcelain"))
    verdict("and the promoted version did answer differently", outputs(second) != outputs(first))

    step(8, "What git declared, and what really served.")
    verdict("what serves is what is declared", told(clone, MODEL, ENVIRONMENT))

    step(9, "The version in production is rebuilt from git and the store, and asked its golden inputs again.")
    rebuilt(clone, folder / "rebuilt")


def rebuilt(clone: Clone, out: Path) -> None:
    """Reproduce what production serves, and ask it in the environment that serves."""
    where = ("--env", ENVIRONMENT, str(out), "--run", "--python", str(SERVING / "python"))
    said = clone.say("modelspec", "reproduce", MODEL, *where)
    built = json.loads((out / "reproduce.json").read_text())
    states = {part["what"]: part["state"] for part in built["parts"]}
    exact = all(states[what] == "exact" for what in ("artifact", "golden", "commit", "production"))
    verdict("artifact, golden answers, code and compiled config are exact", exact)
    verdict("it gives its golden answers bit for bit", "golden answers: bit for bit" in said)


def outputs(raw: bytes) -> Any:
    """Return the tensors of an answer."""
    return json.loads(raw)["outputs"]


if __name__ == "__main__":
    sys.exit(carried_out(demo))
