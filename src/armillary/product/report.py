"""Report: one self-contained HTML page of cards, each with pictures, facts and files. No script, no network."""

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

STYLE = """
:root { color-scheme: light dark; --ink: #16202c; --dim: #5b6b7c; --paper: #f6f7f9; --card: #fff;
        --line: #dde3ea; --warn: #a33b12 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6ebf1; --dim: #93a3b4; --paper: #10161d; --card: #18212b; --line: #2a3744; --warn: #ff9b6a } }
body { margin: 0 auto; max-width: 1180px; padding: 2rem 1rem 4rem; background: var(--paper); color: var(--ink);
       font: 16px/1.5 system-ui, sans-serif }
h1 { font-size: 1.9rem; margin: 0 0 .3rem }
h2 { font-size: 1.25rem; margin: 0 }
.lead { font-size: 1.05rem; border-left: 4px solid var(--warn); padding: .2rem .8rem; color: var(--warn);
        font-weight: 600 }
.lead.note { border-color: var(--dim); color: var(--ink); font-weight: 400 }
.sub { color: var(--dim) }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.1rem 1.3rem;
          margin: 1.2rem 0 }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; margin: .8rem 0 }
figure { margin: 0; flex: 1 1 320px; max-width: 560px }
img { width: 100%; border-radius: 6px; display: block; background: var(--line) }
figcaption { color: var(--dim); font-size: .88rem; padding-top: .3rem }
table { border-collapse: collapse; font-size: .9rem; width: 100% }
td, th { text-align: left; padding: .22rem .8rem .22rem 0; border-bottom: 1px solid var(--line);
         vertical-align: top }
td:first-child { color: var(--dim); white-space: nowrap }
.flag { background: var(--warn); color: #fff; border-radius: 4px; padding: .05rem .45rem; font-size: .8rem;
        margin-left: .6rem }
.wide { overflow-x: auto }
"""


@dataclass(frozen=True)
class Card:
    """One section of a report.

    Args:
        title: its heading.
        flag: a word that must not be missed beside the heading (SYNTHETIC), or "".
        text: one paragraph.
        pictures: (PNG file, caption); the files are embedded.
        facts: name -> value, shown as a table.
    """

    title: str
    text: str = ""
    flag: str = ""
    pictures: Sequence[tuple[Path, str]] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """A page: a warning or summary that is read first, a table, then cards.

    Args:
        title: of the page.
        lead: the first line.
        sub: one line under it.
        tone: of the lead; a warning is coloured.
        table: rows of equal length, the first is the header; may be empty.
        cards: the sections.
    """

    title: str
    lead: str
    sub: str = ""
    tone: Literal["warning", "note"] = "warning"
    table: Sequence[Sequence[str]] = ()
    cards: Sequence[Card] = ()

    def html(self) -> str:
        """The page as one string."""
        kind = "lead" if self.tone == "warning" else "lead note"
        body = [f"<h1>{_safe(self.title)}</h1>", f'<p class="{kind}">{_safe(self.lead)}</p>']
        body += [f'<p class="sub">{_safe(self.sub)}</p>'] if self.sub else []
        body += [_table(self.table)] if self.table else []
        body += [_card(card) for card in self.cards]
        head = f'<meta charset="utf-8"><title>{_safe(self.title)}</title><style>{STYLE}</style>'
        head += '<meta name="viewport" content="width=device-width, initial-scale=1">'
        return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>\n'

    def write(self, path: Path) -> Path:
        """Write the page aside, then rename it to `path`."""
        aside = path.with_name(f".{path.name}.part")
        aside.write_text(self.html(), encoding="utf-8")
        return aside.replace(path)


def _card(card: Card) -> str:
    flag = f'<span class="flag">{_safe(card.flag)}</span>' if card.flag else ""
    pictures = "".join(_figure(path, caption) for path, caption in card.pictures)
    rows = "".join(f"<tr><td>{_safe(k)}</td><td>{_safe(v)}</td></tr>" for k, v in card.facts.items())
    return (
        f"<section><h2>{_safe(card.title)}{flag}</h2>"
        + (f"<p>{_safe(card.text)}</p>" if card.text else "")
        + (f'<div class="pictures">{pictures}</div>' if pictures else "")
        + (f"<table>{rows}</table>" if rows else "")
        + "</section>"
    )


def _figure(path: Path, caption: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return (
        f'<figure><img alt="{_safe(caption)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{_safe(caption)}</figcaption></figure>"
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *rest = rows
    top = "".join(f"<th>{_safe(c)}</th>" for c in head)
    body = "".join("<tr>" + "".join(f"<td>{_safe(c)}</td>" for c in row) + "</tr>" for row in rest)
    return f'<section class="wide"><table><tr>{top}</tr>{body}</table></section>'


def _safe(text: str) -> str:
    return html.escape(text, quote=True)
