"""A document as blocks, and its two forms, Markdown and HTML."""
