"""What the machine gives: errors, files that are whole or absent, the cache, the device, the processes."""
