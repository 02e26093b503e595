"""Reinforcement learning for pentad: the example builder `grpo`."""
