"""Everything that a person or a program reads: plans, releases, costs, as lines, Markdown, JSON or a live view."""
