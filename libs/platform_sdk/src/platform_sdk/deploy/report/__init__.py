"""Plans in the three forms in which they are read: text, Markdown for a pull request, and JSON for programs. Pure.

The signs `+ - ~ !` (comes, goes, changes, was changed past us) carry the meaning; colour only repeats it.
"""

from platform_sdk.deploy.report.document import as_document
from platform_sdk.deploy.report.markdown import as_markdown
from platform_sdk.deploy.report.text import as_text, coloured

__all__ = ["as_document", "as_markdown", "as_text", "coloured"]
