"""How what was found of several models goes with a covariate: as a table, as Markdown, and as a picture."""

from collections.abc import Iterator
from html import escape

from pytest_llmpref.characters import in_markdown, on_one_line
from pytest_llmpref.comparison.family import PLAIN, Family, Trend
from pytest_llmpref.report.wording import number, signed

HEADS = ("quantity", "covariate", "models", "slope (95%)", "p (Holm)", "from least to most", "says")
NOTE = (
    "Slopes are per unit of the covariate, on the scale named beside them. Intervals are Knapp and Hartung's, with the "
    "noise of each estimate and the spread of models around the line. Models that differ in one thing differ in others "
    "too: a slope is no effect."
)
_WIDTH, _HEIGHT, _LEFT, _TOP = 460, 280, 56, 50
_STEPS = 40


def family_lines(family: Family) -> Iterator[str]:
    """Yield the trends for a terminal."""
    for trend in family.trends:
        quantity, covariate, models, slope, p, ends, says = _cells(trend)
        yield on_one_line(f"{quantity} against {covariate}, {models} models: {says}")
        yield on_one_line(f"  slope {slope}, p {p} (Holm); {ends}")
    yield from (on_one_line(f"left out: {one}") for one in family.left_out)
    yield NOTE


def family_markdown(family: Family) -> Iterator[str]:
    """Yield the trends as Markdown."""
    yield f"| {' | '.join(HEADS)} |"
    yield "|---" * len(HEADS) + "|"
    for trend in family.trends:
        yield f"| {' | '.join(in_markdown(cell) for cell in _cells(trend))} |"
    yield ""
    yield NOTE
    if family.left_out:
        yield ""
        yield "Left out:"
        yield ""
        yield from (f"- {in_markdown(one)}" for one in family.left_out)


def _cells(trend: Trend) -> tuple[str, ...]:
    low, high = trend.line.interval()
    scale = f" {trend.scale.name}" if trend.scale is not PLAIN else ""
    unit = f" {trend.covariate.unit}" if trend.covariate.unit else ""
    first, last = (number(round(trend.at(end)[0], 9)) for end in trend.ends)
    return (
        trend.quantity,
        trend.covariate.name,
        str(len(trend.models)),
        f"{signed(round(trend.line.slope, 9))} ({signed(low)} to {signed(high)}){scale}{unit}",
        number(trend.p_holm),
        f"{first} to {last}",
        trend.says,
    )


def trend_svg(trend: Trend) -> str:
    """Return a trend as a picture: each model with its 95% interval, and the line with its own."""
    least, most = trend.ends
    at = [least + (most - least) * step / _STEPS for step in range(_STEPS + 1)]
    line = [trend.at(x) for x in at]
    values = [each for found in trend.models.values() for each in (found.low, found.high)]
    values += [each for point in line for each in point]
    bottom, top = min(values), max(values)
    margin = (most - least) * 0.06

    def place(x: float, y: float) -> str:
        across = (x - least + margin) / (most - least + 2 * margin)
        up = (y - bottom) / ((top - bottom) or 1)
        return f"{_LEFT + across * (_WIDTH - _LEFT - 12):.1f},{_TOP + (1 - up) * (_HEIGHT - _TOP - 44):.1f}"

    band = [place(x, low) for x, (_, low, _) in zip(at, line, strict=True)]
    band += [place(x, high) for x, (_, _, high) in zip(reversed(at), reversed(line), strict=True)]
    quantity, against = escape(trend.quantity), escape(f"against {trend.covariate.name}: {trend.says}")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" font-family="sans-serif" font-size="11" role="img">',
        f'<title>{quantity} {against}</title><rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="12" y="18" font-weight="bold">{quantity}</text><text x="12" y="33">{against}</text>',
        f'<polygon points="{" ".join(band)}" fill="#4c78a8" fill-opacity="0.2"/>',
        f'<polyline points="{" ".join(place(x, y) for x, (y, _, _) in zip(at, line, strict=True))}" fill="none" '
        'stroke="#4c78a8" stroke-width="1.5"/>',
    ]
    for model, found in trend.models.items():
        x = trend.covariate.values[model]
        (across, low), (_, high) = (place(x, y).split(",") for y in (found.low, found.high))
        middle = place(x, found.value).split(",")[1]
        said = escape(f"{model}: {number(found.value)} ({number(found.low)} to {number(found.high)})")
        parts.append(
            f'<g stroke="#333"><title>{said}</title><line x1="{across}" x2="{across}" y1="{low}" y2="{high}"/>'
            f'<circle cx="{across}" cy="{middle}" r="3.5" fill="#333"/></g>'
        )
    parts += _axes(trend, bottom, top)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axes(trend: Trend, bottom: float, top: float) -> Iterator[str]:
    """Yield the names of both axes, and what their ends are."""
    shown = sorted(trend.models, key=lambda model: trend.covariate.values[model])
    first, last = (trend.covariate.shown[shown[place]] for place in (0, -1))
    foot = _HEIGHT - 26
    yield f'<text x="{_LEFT - 6}" y="{_HEIGHT - 42}" text-anchor="end">{number(bottom)}</text>'
    yield f'<text x="{_LEFT - 6}" y="{_TOP + 6}" text-anchor="end">{number(top)}</text>'
    yield f'<text x="{_LEFT}" y="{foot}">{escape(first)}</text>'
    yield f'<text x="{_WIDTH - 12}" y="{foot}" text-anchor="end">{escape(last)}</text>'
    middle = (_LEFT + _WIDTH) / 2
    yield f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(trend.covariate.name)}</text>'
