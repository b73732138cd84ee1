"""Networks that others wrote, read as specs of ours with their weights."""
