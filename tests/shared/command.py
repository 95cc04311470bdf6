"""The command line, called within the process of the tests."""

from gaussjax.cli import main


def error_line(capsys, *arguments):
    """The one line on stderr of a command that ends as bad input, with exit code 2."""
    try:
        code = main(list(arguments))
    except SystemExit as exit_of_argparse:
        code = exit_of_argparse.code
    output = capsys.readouterr()
    assert (code, output.out) == (2, "")
    assert output.err.startswith("gaussjax: error: ")
    assert output.err.count("\n") == 1
    return output.err
