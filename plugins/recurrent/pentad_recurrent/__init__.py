"""Recurrent models for pentad that learn all tokens at once: gated DeltaNet, RetNet, linear attention, minGRU."""
