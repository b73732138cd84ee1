"""The writer of Python classes: a graph as source that reads as if a person had written it.

It knows no framework. What a framework calls its cells, how it runs them and how it spells each op
is a Dialect; mindspore/ and torch/ are dialects.

    graph --outline--> groups by name --patterns, parameters--> classes --source--> text

class_names says what classes and attributes are called, flow has the statements of the method that
runs a cell, layout the lines, names what may stand in a file, weight_names where weights are found
in what the text makes, and modules turns a text into a module that runs.
"""
