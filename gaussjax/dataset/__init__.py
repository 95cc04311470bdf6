"""One blur of many pairs, streamed. May import ``pair`` and every folder below it."""
