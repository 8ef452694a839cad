"""Kills, failing system calls, stuck locks and lost callers: what the plugin must survive."""
