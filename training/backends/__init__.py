"""Frameworks that train, a folder each with the same names of files: backend.py is what
training.backend finds, and everything else is behind it."""
