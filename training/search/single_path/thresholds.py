"""Thresholds: numbers that open and close a supernet's gates, and that gradients reach. This is the
mathematics, with its constants and names; each backend computes it in its own operations.

The weights behind gate j have the root mean square n_j, over that of all the weights they are
among. With s the sigmoid and T the temperature

    gate_j = 1 if n_j >= t_j else 0,        d gate_j / d t_j := -s'((n_j - t_j) / T) / T

which is the straight-through estimator of arXiv 1904.02877. Its code takes plain norms, which grow
with the channels until s' is 0 in float32. Here every n_j is about 1, however many channels there
are, however weights were drawn and have grown since (a batch norm follows them, so that nothing but
their ratios counts). What is measured stands in norms. A width's gate depends on those of kernels,
and gradients go through both. Weights take gates as given.

In a step the loss is cross entropy + lam ln R, or with a target T cross entropy + lam |ln(R / T)|,
R being the runtime. The slope of the cross entropy is taken at the gates, and goes on to the
thresholds together with that of the runtime.

They move as in Adam, but by one second moment for all: what is to be felt is by how much one gate
costs or helps more than another, and Adam's own moments would make all of them equal.
"""

from __future__ import annotations

TINY = 1e-12
"""Added to mean squares, for a root has no slope at 0."""
BETAS = (0.5, 0.99)
"""Decay of the two moments."""
EPSILON = 1e-12
"""Added to the root of the second moment."""

# What a step of the thresholds depends on beside the network, as a state names it.

PREFIX = "search."
"""What all of these names begin with, so that no weight has one."""
THRESHOLDS = "thresholds"
FIRST = "first_moment"
SECOND = "second_moment"
LEFT = "moments_left"
"""Shares of both moments that are still the zeros they started as."""
