"""The kinds of files that hold tensors, one reader and writer each; compiler.weights.files has the
table of them.

Readers take nothing on trust: sizes are checked against the file before memory is asked for, and
nothing in a file is ever run. They need numpy alone, so that published checkpoints can be read
where their framework is not installed.
"""
