"""What a user can mend: said in one message, exit status 2."""


class UserError(Exception):
    pass


class BuildError(Exception):
    """A package that does not build: exit status 1."""
