"""Conversations for pentad: the template, the example builder `chat`, and the command `engine chat`."""
