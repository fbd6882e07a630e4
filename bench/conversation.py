"""Conversations of the size and form that an agent writes, the same ones in every run."""

import random
from collections.abc import Sequence
from typing import Any

import msgspec

Message = dict[str, Any]

_PLAIN = (
    "the cluster pod service deploy rollback timeout region bucket policy module variable output plan apply ingress "
    "certificate expired renew secret rotate namespace node drain latency dashboard alert threshold naïve 配置"
)
# What JSON escapes, and pieces of what tools answer.
_ODD = (
    '"quoted"',
    "back\\slash",
    "line\nbreak",
    "---",
    '{"key": [1, 2]}',
    "./src/main.py:42: error: expected 2 arguments",
)
_WORDS = (*_PLAIN.split(), *_ODD)
_LONGEST = 20  # times the mean
_POOL_CHARS = 1 << 20
_POOL = " ".join(random.Random(1).choices(_WORDS, k=_POOL_CHARS // 6))


class Talk:
    """A conversation that grows by a turn at a time.

    A turn is two messages and on average 1.6 KB of JSON: what the model said with the call it made, and what the tool
    answered; at every fifth turn a question of the user and its answer. Most texts are short and a few are long, as
    those of agents are. No two messages are equal.
    """

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._seed = seed
        self.turns = 0

    def turn(self) -> list[Message]:
        """The next two messages."""
        self.turns += 1
        if self.turns % 5 == 0:
            return [{"role": "user", "content": self._prose(500)}, self._answer(content=self._prose(820))]
        call_id = f"call_{self._seed}_{self.turns}"
        arguments = f'{{"command": "grep -rn {self._random.randbytes(60).hex()}"}}'
        function = {"name": "run_command", "arguments": arguments}
        calls = [{"id": call_id, "type": "function", "function": function}]
        return [
            self._answer(content=self._prose(300), tool_calls=calls),
            {"role": "tool", "tool_call_id": call_id, "content": self._prose(800)},
        ]

    def messages(self, turns: int) -> list[Message]:
        """The messages of the next turns."""
        return [message for _ in range(turns) for message in self.turn()]

    def _answer(self, **fields: Any) -> Message:
        prompt = 1200 + 300 * self.turns
        usage = {"prompt_tokens": prompt, "completion_tokens": 90, "total_tokens": prompt + 90}
        return {"role": "assistant", **fields, "usage": usage, "finish_reason": "stop"}

    def _prose(self, mean_length: int) -> str:
        length = min(int(self._random.expovariate(1 / mean_length)), _LONGEST * mean_length)
        start = self._random.randrange(len(_POOL) - length)
        return f"{self.turns}: {_POOL[start : start + length]}"


def texts(messages: Sequence[Message]) -> list[str]:
    """Each message as the JSON that is stored."""
    return [msgspec.json.encode(message).decode() for message in messages]
