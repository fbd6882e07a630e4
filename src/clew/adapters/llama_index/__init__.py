"""The memory of LlamaIndex: a chat store whose keys are clew sessions."""

from clew.adapters.llama_index.chat_store import ClewChatStore

__all__ = ["ClewChatStore"]
