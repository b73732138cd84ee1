"""Integers of eight bits in place of float32: which factors, at what loss, with what help against it.

Numpy alone; no framework and no device. In the order of their use: schemes (what is wanted),
layers (what can be int8), walking (a graph, node by node), histograms and observers (ranges of what
flows), calibrate (both over images), equalize (scales moved between layers), factors (the integers),
quantization (a model with all its factors), bias (the mean error taken back), inference (what the
integers give), fidelity (each layer beside its float self), harm (which layers had better stay
float), pipeline (all of it in one call).
"""
