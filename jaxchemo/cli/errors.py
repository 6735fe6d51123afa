"""How a command ends other than well: each in one sentence."""


class Refused(Exception):
    """Input that cannot be run, with a sentence that says why."""


class Failed(Exception):
    """A run that went wrong, with a sentence that says how."""
