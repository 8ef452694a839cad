"""The operator's commands, on every store, in pipes and on terminals."""
