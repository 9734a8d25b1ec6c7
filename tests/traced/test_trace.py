"""`modelspec trace`, end to end: a real repository, a real log, real answers."""

from __future__ import annotations

from conftest import Run
from traced.conftest import Shop, at


def test_a_stamped_request_is_traced(shop: Shop, invoke: Run) -> None:
    [one] = shop.ask("2.3.0", at("09:30"), [(0.5, 1, 8, 0)])
    done = invoke("trace", one, "--log", str(shop.log), "--replay", cwd=shop.git.root)
    print(done.stdout, done.stderr)
    assert done.returncode == 0
