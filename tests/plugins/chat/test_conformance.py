from __future__ import annotations

from pentad.testing import CommandConformance, ExampleBuilderConformance


class TestChat(ExampleBuilderConformance):
    name = "chat"


class TestChatCommand(CommandConformance):
    name = "chat"
