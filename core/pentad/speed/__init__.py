"""How fast this machine is: what is measured of it, and what is noted."""
