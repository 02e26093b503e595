"""What each part promises, one file each. The first room to read."""
