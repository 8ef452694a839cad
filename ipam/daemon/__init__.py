"""Door 2: a unix socket in front of the same handler, with everything that costs time at start kept ready."""
