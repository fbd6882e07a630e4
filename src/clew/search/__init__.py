"""Full text search, as far as no database is needed: the text of a message, its words, queries, and snippets.

Texts and queries are cut into words by the same function, and every database gets words that are ready: what is found
does not depend on where the data is.
"""
