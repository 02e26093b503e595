"""Any tokenizer.json of Hugging Face's tokenizers for pentad."""
