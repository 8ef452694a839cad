"""Host-local's own file layout: the store that Go and we may use in turns."""

from backends.directory.store import DirectoryStore, open_store

__all__ = ["DirectoryStore", "open_store"]
