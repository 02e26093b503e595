"""The corpus shakespeare for pentad: 1.1 MB of Shakespeare's plays."""
