"""The one exception that users cause and can mend."""


class KdpruneError(Exception):
    """Input that cannot be used: one line that says what, where, what is allowed, what to do.

    Stage scripts print it on stderr without a traceback and exit with status 2.
    """
