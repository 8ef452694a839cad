"""One module a step: what they say stays as it is for ever."""
