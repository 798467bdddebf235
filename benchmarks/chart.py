"""The figures as a picture: a bar for each by its target, with its spread. Plain SVG, pure."""

from collections.abc import Sequence
from html import escape

from benchmarks.figures import Finding, Summary
from benchmarks.report import short, verdict

_ROW, _TOP, _LEFT, _WIDTH = 44, 56, 90, 760
#: How many times its target a bar can show; a better one ends there.
_MOST = 2.0
_GOOD, _SHORT, _INK = "#2e7d32", "#c77700", "#333333"


def chart(findings: Sequence[Finding], title: str) -> str:
    """An SVG document: each bar's length is ratio by target (target by ratio where less is better)."""
    height = _TOP + _ROW * len(findings) + 24
    bars = [_bar(finding, _TOP + _ROW * number) for number, finding in enumerate(findings)]
    target = _x(1.0)
    lines = ['<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="13"']
    lines += [
        f' width="{_WIDTH + 260}" height="{height}">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    lines += [f'<text x="16" y="26" font-size="16">{escape(title)}</text>', *bars]
    lines += [f'<path d="M{target:.1f} {_TOP - 12}V{height - 20}" stroke="{_INK}" stroke-dasharray="4 3"/>']
    lines += [f'<text x="{target:.1f}" y="{_TOP - 16}" text-anchor="middle" fill="{_INK}">target</text>']
    return "\n".join([*lines, "</svg>", ""])


def _bar(finding: Finding, y: int) -> str:
    colour = _GOOD if finding.reached else _SHORT
    spread = _margins(finding)
    least, middle, most = (_x(value) for value in (spread.least, spread.median, spread.greatest))
    sign = "&lt;=" if finding.target.at_most else "&gt;="
    text = f"{short(finding.ratio.median)} ({sign} {finding.target.ratio:g}) {verdict(finding)}"
    return "\n".join(
        [
            f'<text x="16" y="{y + 17}" fill="{_INK}">{escape(finding.target.id)}</text>',
            f'<rect x="{_LEFT}" y="{y}" width="{middle - _LEFT:.1f}" height="24" fill="{colour}"/>',
            f'<line x1="{least:.1f}" y1="{y + 12}" x2="{most:.1f}" y2="{y + 12}" stroke="{_INK}" stroke-width="2"/>',
            f'<text x="{_WIDTH + 16}" y="{y + 17}" fill="{_INK}">{text}</text>',
        ]
    )


def _margins(finding: Finding) -> Summary:
    """The ratio and its spread in parts of the target, always so that more is better."""
    ratio, wanted = finding.ratio, finding.target.ratio
    if finding.target.at_most:
        return Summary(wanted / ratio.median, wanted / ratio.greatest, wanted / ratio.least)
    return Summary(ratio.median / wanted, ratio.least / wanted, ratio.greatest / wanted)


def _x(margin: float) -> float:
    return _LEFT + (_WIDTH - _LEFT) * min(margin, _MOST) / _MOST
