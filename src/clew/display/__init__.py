"""Stored messages as people read them: as blocks of a page, as HTML, and as Markdown.

What makes HTML needs the extra `server`; the rest needs nothing.
"""
