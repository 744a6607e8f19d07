"""Evidence: what is read off results and records to be looked at, worked out again or held against them.

It never trades.
"""
