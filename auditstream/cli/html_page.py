"""The frame of a report's page: no script, nothing from outside, light and dark."""

from __future__ import annotations

from html import escape

_STYLE = """
:root { color-scheme: light dark; --line: #8886; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: right; padding: .2rem .6rem; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
td { font-variant-numeric: tabular-nums; }
tfoot td { font-weight: 600; } svg { width: 100%; height: 2.2rem; margin: .4rem 0; }
p.multiple { font-size: 1.2rem; margin: .3rem 0; }
"""


def html_page(title: str, heading: str, body: str) -> str:
    """Return the page.

    Args:
        title: Text of the title.
        heading: Text of the first heading.
        body: What follows, as HTML.
    """
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>{escape(heading)}</h1>\n{body}</body></html>\n"
    )
