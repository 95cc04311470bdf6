"""When is an answer wrong and trusted? A randomised sweep over kinds of pairs."""
