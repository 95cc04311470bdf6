"""How the ``gaussjax`` command ends when it is interrupted; imports nothing, for it may be soon."""

INTERRUPTED = 130  # what a shell reports for a process ended by SIGINT


def interrupted_line(interrupt: KeyboardInterrupt) -> str:
    """What is said of an interrupt: with what its raiser knows of what is kept."""
    return ": ".join(["gaussjax: interrupted", *(str(each) for each in interrupt.args)])
