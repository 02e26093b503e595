"""The page Chat: it begins with a run that can converse, where there is one."""

from __future__ import annotations

import os
import re


def test_the_newest_run_that_has_learned_conversations_is_chosen(page, studio, talker):
    os.utime(studio.runs / "tiny" / "metrics.jsonl")  # newer, and has learned none
    assert studio.run_names()[0] == "tiny"
    assert re.findall(r'<option value="(.*)" selected>', page.get("chat").text) == [talker]
    assert re.findall(r'<option value="(.*)" selected>', page.get("chat?run=tiny").text) == ["tiny"]
