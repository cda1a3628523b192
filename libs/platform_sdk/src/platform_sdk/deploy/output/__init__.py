"""Everything that a person or a program reads: plans, releases, stacks, status and cost, as text, Markdown or JSON."""
