"""Training by MindSpore. Nothing is imported here: training.backend does, when a run asks for it.

backend                      read this first: what training asks of a framework
trainer, step, losses, optimizers, ema, precision, noise
                             a network that learns, its step one compiled cell
data, augment, mindrecord    batches, augmented by MindSpore's C++ operations
ranks, reducer               several processes
supernet, thresholds, threshold_step
                             the single-path search
"""
