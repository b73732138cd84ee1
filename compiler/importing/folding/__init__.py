"""A flat graph as a spec that reads as if a person had written it: `spec.py` first.

modules     the tree of modules that names say
sequences   a part of a graph as a body: residuals, branches, names where paths cross
elements, known       calls of the templates that every spec has
templates, folded     templates for what is alike, entries for calls in a row
spec        the whole as JSON, and the proof that it is the graph
"""
