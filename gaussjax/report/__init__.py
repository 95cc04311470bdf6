"""What is shown beside an estimate: transfer functions, comparisons, figures.

May import ``dataset`` and ``maps`` and every folder below them.
"""
