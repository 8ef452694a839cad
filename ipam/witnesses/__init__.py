"""Who can tell whether an attachment still lives: namespaces, libcni's cached results, container runtimes.

Each witness looks at the node once, as a whole, and then says of any lease what it saw. What it could not see
completely it does not deny.
"""
