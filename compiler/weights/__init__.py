"""Weights: {"node.weight": float32 array}, from files, from publishers and from chance.

loading      files of our own: load_weights, save_weights
importing    published checkpoints by their publishers' names; maps/ has the names
initialize   seeded random weights, by the schemes of training recipes
files        which ending is read and written how; formats/ has the kinds
"""
