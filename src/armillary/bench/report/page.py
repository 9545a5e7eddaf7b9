"""Sections of tables and pictures as one HTML file that needs no other file and no script."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from armillary.bench.report.plots import Picture
from armillary.bench.report.tables import Table

STYLE = """
:root { --ink: #1a2733; --dim: #5b6b7c; --rule: #d8dfe6; --paper: #ffffff; --soft: #f5f7f9; --accent: #2f6f9f }
* { box-sizing: border-box }
body { margin: 0; color: var(--ink); background: var(--paper); font: 15px/1.5 system-ui, "Segoe UI", sans-serif }
main { max-width: 1080px; margin: 0 auto; padding: 28px 24px 80px }
h1 { font-size: 26px; margin: 0 0 4px } h2 { font-size: 20px; margin: 44px 0 6px; padding-top: 14px;
border-top: 1px solid var(--rule) } h3 { font-size: 15px; margin: 22px 0 6px }
p { margin: 6px 0; max-width: 80ch } .dim { color: var(--dim) }
nav { display: flex; flex-wrap: wrap; gap: 4px 14px; margin: 14px 0; font-size: 14px }
a { color: var(--accent); text-decoration: none } a:hover, a:focus { text-decoration: underline }
.wide { overflow-x: auto; margin: 10px 0 }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums }
caption { text-align: left; font-weight: 600; padding: 4px 0 }
th, td { text-align: left; vertical-align: top; padding: 4px 12px 4px 0; border-bottom: 1px solid var(--rule) }
th { color: var(--dim); font-weight: 600; border-bottom: 2px solid var(--rule) }
.short { white-space: nowrap } tbody tr:hover { background: var(--soft) } td em { color: var(--dim) }
figure { margin: 14px 0 } figure img { max-width: 100%; height: auto; background: #fff }
figcaption { color: var(--dim); font-size: 13px }
.row { display: flex; flex-wrap: wrap; gap: 8px 28px; align-items: flex-start }
@media (prefers-color-scheme: dark) { :root { --ink: #e4eaf0; --dim: #9fb0c0; --rule: #33414f; --paper: #141a20;
--soft: #1b232b; --accent: #7db8e4 } figure img { border-radius: 4px; padding: 6px } }
@media print { nav { display: none } h2 { break-before: page } }
"""

LONGEST_SHORT = 28
"""Letters of a field that stays in one line."""


@dataclass(frozen=True)
class Section:
    """One question, or what stands before and behind all of them.

    Args:
        name: anchor and, unless `title` is given, heading.
        title: heading.
        words: paragraphs.
        tables: below them.
        pictures: below the tables.
    """

    name: str
    title: str
    words: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()


def page(title: str, intro: Sequence[str], sections: Sequence[Section]) -> str:
    """The whole file."""
    links = "".join(f'<a href="#{_anchor(s.name)}">{escape(s.title)}</a>' for s in sections)
    body = "\n".join(map(_section, sections))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(title)}</h1>\n{_paragraphs(intro)}\n<nav>{links}</nav>\n{body}\n</main>\n</body>\n</html>\n"
    )


def markdown(title: str, intro: Sequence[str], sections: Sequence[Section]) -> str:
    """The same as Markdown, without pictures."""
    parts = [f"# {title}", *intro]
    for section in sections:
        parts += [f"## {section.title}", *section.words, *(t.markdown() for t in section.tables)]
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> str:
    tables = "\n".join(map(_table, section.tables))
    pictures = "\n".join(map(_figure, section.pictures))
    return (
        f'<section id="{_anchor(section.name)}">\n<h2>{escape(section.title)}</h2>\n{_paragraphs(section.words)}\n'
        f'{tables}\n<div class="row">{pictures}</div>\n</section>'
    )


def _table(table: Table) -> str:
    caption = f"<caption>{escape(table.title)}</caption>" if table.title else ""
    head = "".join(f'<th scope="col">{escape(w)}</th>' for w in table.head)
    rows = "\n".join("<tr>" + "".join(map(_field, row)) + "</tr>" for row in table.rows)
    return f'<div class="wide"><table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>'


def _figure(picture: Picture) -> str:
    words = escape(picture.words, quote=True)
    return (
        f'<figure><img src="{picture.href}" alt="{words}" width="{picture.width}">'
        f"<figcaption>{words}</figcaption></figure>"
    )


def _field(word: str) -> str:
    """Short ones are never broken into lines."""
    short = ' class="short"' if len(word) <= LONGEST_SHORT else ""
    return f"<td{short}>{_word(word)}</td>"


def _word(word: str) -> str:
    """*emphasis* as in Markdown, all else as it is."""
    if len(word) > 2 and word.startswith("*") and word.endswith("*"):
        return f"<em>{escape(word[1:-1])}</em>"
    return escape(word)


def _paragraphs(words: Sequence[str]) -> str:
    return "\n".join(f"<p>{escape(w)}</p>" for w in words)


def _anchor(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name.lower())
