"""What a person or a pipeline sees while a release goes on: events in, lines or a living view out.

    driver ─▶ ReleaseEvent ─▶ LinePainter      one line for each change of state, and one a minute while nothing changes
                          └─▶ TerminalPainter  the same, and below it what moves right now

Painters decide nothing and ask nobody: everything is in the events.
"""

from platform_sdk.deploy.progress.lines import LinePainter

__all__ = ["LinePainter"]
