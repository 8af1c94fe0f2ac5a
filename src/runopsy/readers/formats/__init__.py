"""One module per foreign format, each with ``recognises`` and ``read``; what several of them need lies one floor up.

A format is added with one file here and one row in ``READERS``.
"""
