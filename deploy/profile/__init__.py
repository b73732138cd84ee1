"""Time of each layer, in one form wherever it comes from.

    measured(path, ...)      onnxruntime on this machine's CPU (cpu)
    run_msprof(...)          Ascend's profiler around an engine (msprof, op_summary, repeat)
    estimated(graph, ...)    the latency model, before there is a device (estimate)

What runs are kernels, and a kernel is often several nodes of the spec: `joining` finds which.
`report` says which of the three a time is from, and a CPU's time is never called a device's.
"""

from archspec.deploy.profile.report import LayerTime, Profile

__all__ = ["LayerTime", "Profile"]
