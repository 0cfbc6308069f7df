"""What can be wrong with what training is given."""


class BadInput(Exception):
    """The examples, the flags or a file cannot be used; the text is one sentence that says why."""
