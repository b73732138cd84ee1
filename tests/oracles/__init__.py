"""Independent implementations of every op, to hold archspec's own arithmetic against."""
