"""What a person typed and cannot have meant."""


class Mistake(ValueError):
    """A value on the command line that is none of its kind; the text says which are."""
