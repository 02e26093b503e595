"""Optimizers for pentad: SGD, Lion, Adafactor, SOAP and schedule-free AdamW."""
