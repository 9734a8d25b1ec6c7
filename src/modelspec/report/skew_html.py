"""`skew` as one page that stands alone: plots as SVG, no script, light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from modelspec.report.skew import drift_word, is_large, window
from modelspec.trace.contract import contract_words
from modelspec.trace.skew import LOOK, WORRY, Drift, FeatureSkew, Skew
from modelspec.tree.digest import short
from modelspec.tree.text import plural, visible

_WIDTH: Final = 560
_HEIGHT: Final = 150
_LEFT: Final = 38
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5b6575; --line: #d9dee6; --paper: #fbfcfe;
  --card: #ffffff; --sample: #9aa7b8; --served: #1f6feb; --bad: #c0392b; --good: #1a7f4b; --warn: #9a6700; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e8f0; --soft: #9aa5b6; --line: #303845;
  --paper: #12161d; --card: #1a2029; --sample: #6c7889; --served: #58a6ff; --bad: #ff7b72; --good: #56d38f;
  --warn: #e3b341; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 2rem 1.25rem 4rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2.25rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .25rem 0; } .soft { color: var(--soft); } code { font: 0.9em ui-monospace, Menlo, monospace;
  overflow-wrap: anywhere; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--soft); font-weight: 600; } td code { white-space: nowrap; } td.n, th.n { text-align: right;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
.grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 540px), 1fr)); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; }
.card svg { width: 100%; height: auto; display: block; margin-top: .5rem; }
.tag { font-size: .8rem; font-weight: 600; white-space: nowrap; } td .tag { white-space: normal; }
.bad { color: var(--bad); }
.good { color: var(--good); } .warn { color: var(--warn); }
.head { display: flex; justify-content: space-between; gap: 1rem; align-items: baseline; }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .35em 0 0; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.sample { fill: var(--sample); background: var(--sample); } .served { fill: var(--served);
  background: var(--served); } .axis { stroke: var(--line); }
ul { margin: .25rem 0; padding-left: 1.2rem; }
"""


def skew_html(found: Skew) -> str:
    """Return the page."""
    title = f"{found.model} {found.version} in {found.environment}"
    of = f"{plural(found.rows, 'row')} of <code>{_text(found.log)}</code>{_text(window(found))}"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>Skew of {_text(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{_text(title)}</h1>",
        f'<p class="soft"><code>{_text(short(found.digest))}</code>, {of}</p>',
        _verdict(found),
        "<h2>Features</h2>",
        _table(found.features),
        _plots(found.features),
        _worst(found),
        _left(found),
        "</body></html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _text(text: str, limit: int = 300) -> str:
    return escape(visible(text, limit))


def _verdict(found: Skew) -> str:
    broken = [one for one in found.features if one.broken]
    far = [one for one in found.features if is_large(one)]
    said = []
    if broken:
        names = ", ".join(one.name for one in broken[:6]) + (", ..." if len(broken) > 6 else "")
        said.append(f'<p class="bad">{len(broken)} of {len(found.features)} features break the contract: '
                    f"{_text(names)}.</p>")  # fmt: skip
    else:
        said.append('<p class="good">No value breaks the contract.</p>')
    if far:
        names = ", ".join(one.name for one in far[:6]) + (", ..." if len(far) > 6 else "")
        said.append(f'<p class="bad">{len(far)} drifted far from the training sample: {_text(names)}.</p>')
    elif any(one.drift is not None for one in found.features):
        said.append('<p class="good">No feature drifted far from the training sample.</p>')
    said += [f'<p class="bad">Over the bound: {_text(line)}.</p>' for line in found.crossed]
    said += [f'<p class="soft">{_text(note)}</p>' for note in found.notes]
    return "\n".join(said)


def _table(features: Sequence[FeatureSkew]) -> str:
    head = '<tr><th>Feature</th><th>Contract</th><th class="n">Broken</th><th>By</th><th class="n">PSI</th>'
    head += '<th>Drift</th><th class="n">Mean</th><th class="n">Least</th><th class="n">Greatest</th></tr>'
    rows = []
    for one in features:
        by = ", ".join(f"{kind} {count:,}" for kind, count in one.violations.items())
        broken = f'<td class="n bad">{100 * one.share:.3g} %</td>' if one.broken else '<td class="n">0</td>'
        words = contract_words(one.feature) if one.feature is not None else "its schema is lost"
        psi = "" if one.drift is None else f"{one.drift.psi:.4f}"
        word = '<span class="soft">no bins stored</span>' if one.drift is None else _word(one.drift)
        numbers = "".join(
            f'<td class="n">{"" if value is None else f"{value:.5g}"}</td>'
            for value in (one.stats.mean, one.stats.least, one.stats.greatest)
        )
        rows.append(
            f'<tr><td><code>{_text(one.name)}</code></td><td class="soft">{_text(words)}</td>{broken}'
            f'<td>{_text(by)}</td><td class="n">{psi}</td><td>{word}</td>{numbers}</tr>'
        )
    return f'<div class="scroll"><table>{head}{"".join(rows)}</table></div>'


def _word(drift: Drift) -> str:
    kind = {"large": "bad", "moderate": "warn"}.get(drift.word, "good")
    return f'<span class="tag {kind}">{_text(drift_word(drift))}</span>'


def _plots(features: Sequence[FeatureSkew]) -> str:
    drawn = [one for one in features if one.drift is not None]
    if not drawn:
        return ""
    drawn.sort(key=lambda one: -(one.drift.psi if one.drift is not None else 0))
    cards = "\n".join(_card(one) for one in drawn)
    key = (
        '<p class="soft"><span class="key sample"></span>training sample &nbsp; '
        '<span class="key served"></span>served. Each pair of bars is the share of the rows in one bin of '
        f"the training sample; a PSI above {LOOK:g} is worth a look, above {WORRY:g} it is far.</p>"
    )
    return f'<h2>Training against serving</h2>{key}<div class="grid">{cards}</div>'


def _card(one: FeatureSkew) -> str:
    assert one.drift is not None
    unit = f'<p class="bad">{_text(one.unit)}</p>' if one.unit else ""
    head = f'<div class="head"><h3><code>{_text(one.name)}</code></h3>{_word(one.drift)}</div>'
    said = f'<p class="soft">PSI {one.drift.psi:.4f}; by chance about {one.drift.chance:.4f}</p>'
    return f'<div class="card">{head}{said}{unit}{_bars(one.name, one.drift)}</div>'


def _bars(name: str, drift: Drift) -> str:
    top = max((*drift.sample, *drift.served, 0.01))
    step = (_WIDTH - _LEFT) / len(drift.labels)
    bar = min(step * 0.38, 34)
    label = f"Share of rows by bin of {_text(name)}, training sample and served"
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + 46}" role="img" aria-label="{label}">']
    for part in (0, 0.5, 1):
        y = _HEIGHT - part * (_HEIGHT - 12)
        parts.append(f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{100 * part * top:.0f} %</text>'
        )
    for index, (label, sample, served) in enumerate(
        zip(drift.labels, drift.sample, drift.served, strict=True)
    ):
        middle = _LEFT + (index + 0.5) * step
        for kind, value, x in (("sample", sample, middle - bar - 1), ("served", served, middle + 1)):
            height = value / top * (_HEIGHT - 12)
            told = f"<title>{_text(label)}: {100 * value:.2f} % {kind}</title>"
            parts.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{_HEIGHT - height:.1f}" width="{bar:.1f}" '
                f'height="{height:.1f}" rx="1.5">{told}</rect>'
            )
        parts.append(_label(label, middle, step))
    return "".join(parts) + "</svg>"


def _label(label: str, middle: float, step: float) -> str:
    """Return a bin's name below it: on two lines, a bin of numbers by its ends."""
    first, word, second = label.partition(" to ")
    lines = [first, f"to {second}"] if word else label.split(" ", 1)
    most = max(4, int(step / 6))
    shown = [line if len(line) <= most else line[: most - 1] + "…" for line in lines]
    return "".join(
        f'<text x="{middle:.1f}" y="{_HEIGHT + 16 + 14 * index}" text-anchor="middle">{_text(line)}</text>'
        for index, line in enumerate(shown)
    )


def _worst(found: Skew) -> str:
    if not found.worst:
        return ""
    rows = []
    for row in found.worst:
        broken = "".join(
            f"<li><code>{_text(name)}</code> {_text(said)}</li>" for name, said in row.violations
        )
        names = {name for name, _ in row.violations}
        values = ", ".join(
            f"{name.rpartition('.')[2]} {value!s}" for name, value in row.values if name in names
        )
        rows.append(f"<tr><td><code>{_text(row.id)}</code></td><td><ul>{broken}</ul></td>"
                    f'<td class="soft">{_text(values)}</td></tr>')  # fmt: skip
    head = "<tr><th>Request</th><th>Breaks</th><th>Values</th></tr>"
    return (
        "<h2>The rows that break most of it</h2>"
        f'<div class="scroll"><table>{head}{"".join(rows)}</table></div>'
    )


def _left(found: Skew) -> str:
    if not found.left_out:
        return ""
    rows = "".join(
        f'<tr><td class="n">{count:,}</td><td>{_text(reason)}</td>'
        f'<td class="soft">{_text(", ".join(found.examples.get(reason, ())))}</td></tr>'
        for reason, count in sorted(found.left_out.items(), key=lambda pair: -pair[1])
    )
    head = '<tr><th class="n">Count</th><th>Left out</th><th>For example</th></tr>'
    return f'<h2>Left out</h2><div class="scroll"><table>{head}{rows}</table></div>'
