"""What example builders are made of: randomness without a memory, and documents packed into rows."""
