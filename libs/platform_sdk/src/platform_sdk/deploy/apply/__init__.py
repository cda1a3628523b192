"""Brings stacks about on AWS, through change sets: what is to be changed is read, and judged, before it is changed.

    DesiredStack ─▶ sound (wait, clear up) ─▶ change set ─▶ refuse losses, ask ─▶ execute ─▶ follow ─▶ StackOutcome

Everything may be repeated: what is as it shall be is left alone, and what is under way already is followed. So whoever
was interrupted gives the same command again.
"""
