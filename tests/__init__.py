"""The tests; each directory says in its own docstring what it is about."""
