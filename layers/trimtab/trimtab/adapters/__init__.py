"""Adapters: one file or folder per outside thing."""
