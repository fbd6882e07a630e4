"""LlamaIndex with its memory in clew: a chat that goes on in another process, and stays whole when it gets too long.

It needs `pip install '.[llama-index]'`, and no network: the model is LlamaIndex's own mock.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.llms import ChatMessage
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.memory import Memory

import clew
from clew.adapters.llama_index import ClewChatStore


def words(text: str) -> list[str]:
    """A tokenizer that needs no download."""
    return text.split()


def answer(messages: Sequence[ChatMessage], **kwargs: Any) -> ChatMessage:
    return ChatMessage(role="assistant", content=f"I was sent {len(messages)} messages.")


def chat(store: clew.Store, question: str, token_limit: int = 1_000) -> None:
    memory = Memory.from_defaults(
        session_id="trip-7", chat_store=ClewChatStore(store), tokenizer_fn=words, token_limit=token_limit
    )
    model = MockFunctionCallingLLM(response_generator=answer, is_chat_model=True)
    SimpleChatEngine.from_defaults(llm=model, memory=memory).chat(question)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agent.db"
        with clew.open(path) as store:
            chat(store, "Which train goes to Oslo?")
            chat(store, "And when does the last one leave?")
        with clew.open(path) as store:  # as another process would
            chat(store, "Is there a sleeper?", token_limit=20)  # so the oldest messages are archived

            session = store.find_session("llama-index", "trip-7")
            active = store.get_active_checkpoint(session.id)
            print(f"{session.title} {len(active.state.messages)} messages, {active.state.metadata}")
            for message in active.state.messages:
                print(f"  {message['role']}: {message['content']}")


if __name__ == "__main__":
    main()
