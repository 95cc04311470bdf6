"""What the library says in Python's words, in those of the shell."""

import re

# The library's words, as patterns, and the options of the command that do the same.
_IN_SHELL = {
    r"\b(pass )?(gain|offset|shift)=True": r"--\2",
    r"\b(pass )?(family|motion|loss)='(\w+)'": r"--\2 \3",
    r"\b(pass )?noise_std=\(std_reference, std_blurred\)": "--noise SD SD",
    r"\bpass noise_std\b": "--noise estimate, or its levels",
    r"\bnoise_std\b": "--noise",
    r"\bnoise_correlation\b": "--noise-correlation",
    r"\bkernel=(?!\w|')": "--kernel",
    r"\buse blur_map\b": "see gaussjax map",
    r"\buse estimate_blurs or jax\.vmap.*": "take one by --page or --channel",
    r"\bmax_bad\b": "--max-bad",
    r"\bpass the channels as a stack to .* or jax\.vmap": "take one by --page",
    r"\btakes spacing\b": "takes --spacing",
    r"\banother boundary than 'valid'": "another --boundary than valid",
    r"\bwiden bounds\b": "widen --bounds",
    r"\braise the upper bound\b": "raise the upper one of --bounds",
}


def in_shell(text: str) -> str:
    """A text of the library that names options of the command instead of arguments."""
    for python, shell in _IN_SHELL.items():
        text = re.sub(python, shell, text)
    return text
