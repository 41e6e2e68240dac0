"""Integrations: what other packages do becomes events, without a change where they are used.

Each module imports its package when it is imported itself, and says which extra brings it. None of them keeps
content: prompts, answers and arguments leave their size, and a keyed HMAC when a key is given.
"""
