"""Benchmarks: one command each, printing a table of ratios against peers. They measure; they do not judge.

``python -m benchmarks`` runs them all, ``python -m benchmarks.images`` (or ``imports``, ``build``,
``history``) one. Ratios travel between machines, seconds do not.
"""
