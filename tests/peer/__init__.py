"""The plugin beside its peers: Go host-local, the main plugins that call it, and calls of real runtimes."""
