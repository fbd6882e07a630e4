"""What a conversation says of itself: its tool calls and their results, what providers refuse of it, what it cost.

Pure functions over messages, which know nothing of stores. What a message may look like is in `parts`.
"""
