"""A blur that varies over the frame: its maps against the true sigma."""
