"""What imports tell of an answer is what statistics count."""

from clew.conversation.usage import Tokens, usage_of
from clew.importers import chat


def test_tokens_are_counted_under_the_names_that_imports_give_them() -> None:
    tokens = Tokens()
    usage = chat.usage_of(prompt=20, completion=3, cached=4, cache_creation=9, cost=0.5)
    told = usage_of({"role": "assistant", "content": "a", "usage": usage})
    assert told is not None
    tokens.add(told)
    assert (tokens.input, tokens.output, tokens.cache_read, tokens.cache_write) == (20, 3, 4, 9)
    assert (tokens.messages, tokens.cost) == (1, 0.5)
