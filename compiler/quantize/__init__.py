"""Integers of eight bits in place of float32: which factors, at what loss, what helps against it.

Numpy alone; no framework and no device. `pipeline` is all of it in one call, and the order of the
rest: layers (what can be int8), equalize (scales moved between layers), walking (a graph in numpy,
node by node), histograms and observers (ranges of what flows), calibrate (both, over images), bias
(the mean error taken back), factors (the integers), quantization (a model with all its factors, and
what its integers give), fidelity (each layer beside its float self), harm (which layers had better
stay float), report (for people).
"""
