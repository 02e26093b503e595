"""Decoders for pentad: beam search, contrastive search, speculative decoding, classifier-free guidance."""
