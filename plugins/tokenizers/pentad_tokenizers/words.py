"""How `wordpiece` in style bytes cuts text into words: a word takes the space in front of it along, so that nothing is lost."""

from __future__ import annotations

WORDS = r"'(?:[sdmt]|ll|ve|re)| ?[\p{L}\p{M}]+| ?\p{N}{1,3}| ?[^\s\p{L}\p{M}\p{N}]+|\s+"
"""English contractions; letters with their marks; up to three digits; others; white space. Every character is in one."""
