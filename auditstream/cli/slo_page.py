"""The report of objectives as one HTML page: what is left of each error budget, and when it was spent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from auditstream.cli.html_page import html_page
from auditstream.notify.alert_windows import length_text
from auditstream.notify.slo_lines import percent_text, scope_of, state_of

if TYPE_CHECKING:
    from auditstream.notify.slo_standing import LedgerDay, SloStanding

_HEIGHT, _BAR = 60, 10
_LEFT, _SPENT, _GONE = "hsl(215 60% 50%)", "hsl(30 70% 50%)", "hsl(350 65% 50%)"


def page_of(standings: Sequence[SloStanding]) -> str:
    """Return the page."""
    body = "".join(piece for each in standings for piece in _objective(each))
    return html_page("SLOs", "Objectives and their error budgets", body or "<p>There is no objective.</p>")


def _objective(standing: SloStanding) -> Iterator[str]:
    objective, total = standing.objective, standing.total
    heading = f"{objective.slo_id}: {objective.indicator}, {scope_of(objective)}"
    yield f"<h2>{escape(heading)}</h2>\n"
    good = (
        "nothing that counts" if standing.good_share is None else f"{percent_text(standing.good_share)} good"
    )
    yield (
        f"<p>{good} of {total.valid} in {objective.window_days} days to {standing.at:%Y-%m-%d %H:%MZ}; "
        f"{percent_text(objective.objective)} are the objective.</p>\n"
        f'<p class="multiple">{percent_text(standing.left)} of the error budget are left: '
        f"{escape(state_of(standing))}.</p>\n"
    )
    if standing.ends_at is not None and standing.left > 0:
        yield f"<p>At the rate of the last six hours it is gone on {standing.ends_at:%Y-%m-%d %H:%MZ}.</p>\n"
    yield _picture(standing.ledger[::-1], objective.slo_id)
    yield _table(standing)


def _picture(days: Sequence[LedgerDay], name: str) -> str:
    """Return a bar a day, of what it spent, and a line of what was left; the black line is 0."""
    width = _BAR * len(days)
    most = max((each.spent for each in days), default=0.0) or 1.0
    lowest = min(0.0, min((each.left for each in days), default=0.0))

    def y(left: float) -> float:
        return round(_HEIGHT * (1 - left) / (1 - lowest), 2)

    bars, points = [], []
    for number, each in enumerate(days):
        x, height = _BAR * number, round(_HEIGHT * each.spent / most, 2)
        said = (
            f"{each.day}: {each.counted.bad} of {each.counted.valid} missed, "
            f"{percent_text(each.spent)} of the budget; {percent_text(each.left)} left"
        )
        colour = _GONE if each.left <= 0 else _SPENT
        bars.append(
            f'<rect x="{x}" y="{_HEIGHT - height}" width="{_BAR - 1}" height="{height}" fill="{colour}"/>'
            f'<rect x="{x}" y="0" width="{_BAR}" height="{_HEIGHT}" fill="transparent">'
            f"<title>{escape(said)}</title></rect>"
        )
        points.append(f"{x},{y(each.left)} {x + _BAR},{y(each.left)}")
    label = f"Error budget of {name}: left by day as a line, spent by day as bars"
    return (
        f'<svg style="height:9rem" viewBox="0 0 {width} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}"><line x1="0" x2="{width}" y1="{y(0.0)}" y2="{y(0.0)}" '
        f'stroke="currentColor" stroke-width=".5" vector-effect="non-scaling-stroke"/>{"".join(bars)}'
        f'<polyline points="{" ".join(points)}" fill="none" stroke="{_LEFT}" stroke-width="2" '
        f'vector-effect="non-scaling-stroke"/></svg>\n'
        f"<p>Line: budget left. Bars: spent on a day, the highest {percent_text(most)}.</p>\n"
    )


def _table(standing: SloStanding) -> str:
    period = standing.objective.window_days * 1_440
    cells = [
        (
            row.name.replace("_", " "),
            f"{row.factor(period):.2f}",
            f"{length_text(row.long)}: {standing.rates[row.long]:.2f} of {standing.counted[row.long].valid}",
            f"{length_text(row.short)}: {standing.rates[row.short]:.2f}",
            "fires" if fires else "",
        )
        for row, fires in zip(standing.burns.rows, standing.burns.fires[:, 0], strict=True)
    ]
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in each)}</tr>" for each in cells)
    return (
        "<table><thead><tr><th>Alert</th><th>From burn rate</th><th>Long window</th><th>Short window</th>"
        f"<th>Now</th></tr></thead><tbody>{rows}</tbody></table>\n"
    )
