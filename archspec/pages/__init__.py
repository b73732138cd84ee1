"""Pages of reference: what an op or a template is, worked out from its class or its text and from
an example that is loaded, as lines for a terminal or as Markdown."""

from archspec.pages.entry import Entry, as_lines, as_markdown
from archspec.pages.ops import op_entry
from archspec.pages.templates import Shipped, find_templates, template_entry

__all__ = [
    "Entry",
    "Shipped",
    "as_lines",
    "as_markdown",
    "find_templates",
    "op_entry",
    "template_entry",
]
