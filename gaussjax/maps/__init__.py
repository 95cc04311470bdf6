"""A blur that varies over the frame. May import ``pair`` and every folder below it."""
