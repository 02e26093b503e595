"""What is installed: the hooks, the records that they return, the catalogue, and the one door that makes a stage."""
