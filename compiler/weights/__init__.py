"""Weights: {"node.weight": float32 array}, from files, from publishers and from chance.

loading      files of our own: load_weights, save_weights
importing    checkpoints of others, and exporting, back by their names; maps/ has the names
plans        by whose names, or how else, tensors become weights: structure, renaming, twins
logits       what names do not prove, by numbers
initialize   seeded random weights, by the schemes of training recipes
files        which kind of file is read and written how; formats/ has the kinds
"""
