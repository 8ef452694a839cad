"""The launcher against scripted daemons: what it asks, what it answers, and what it does when they fail."""
