"""Drawing a figure as SVG: the same figure gives the same bytes."""

from __future__ import annotations

import io
from typing import Any

from .figure import Figure, Panel


def svg(figure: Figure) -> str:
    """The picture. ImportError if matplotlib is not installed."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    settings: Any = {"svg.hashsalt": "pagelaw", "svg.fonttype": "none", "font.family": "DejaVu Sans", "font.size": 9}
    with matplotlib.rc_context(settings):
        drawn = Canvas(figsize=(8, 3.4 * len(figure.panels)), layout="constrained")
        FigureCanvasSVG(drawn)
        drawn.suptitle(f"Figure {figure.number}: {figure.title}")
        for axes, panel in zip(drawn.subplots(len(figure.panels), squeeze=False)[:, 0], figure.panels, strict=True):
            draw(axes, panel)
        text = io.StringIO()
        drawn.savefig(text, format="svg", metadata={"Date": None, "Creator": "pagelaw"})
    return text.getvalue()


def draw(axes: Any, panel: Panel) -> None:
    """One pair of axes."""
    across = 60 if panel.across == "minutes" else 1
    for line in panel.lines:
        style = "steps-post" if line.step else "default"
        dashed = "--" if "target" in line.label else "-"
        axes.plot([at / across for at in line.at], [one / 100 for one in line.hundredths], dashed,
                  label=line.label, drawstyle=style, linewidth=1.2)  # fmt: skip
    for at, label in panel.marks:
        axes.axvline(at / across, color="grey", linewidth=0.8, linestyle=":")
        axes.annotate(label, (at / across, 1), xycoords=("data", "axes fraction"), xytext=(3, -10),
                      textcoords="offset points", color="grey")  # fmt: skip
    for level, label in panel.levels:
        axes.axhline(level / 100, color="grey", linewidth=0.8, linestyle=":")
        axes.annotate(label, (0, level / 100), xycoords=("axes fraction", "data"), xytext=(3, 2),
                      textcoords="offset points", color="grey")  # fmt: skip
    axes.set(title=panel.title, xlabel=panel.across, ylabel=panel.up)
    axes.set_ylim(bottom=0)
    axes.legend(loc="best", fontsize=8)
