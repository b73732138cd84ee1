"""What stands where a real part would be too slow, and does its work for real."""
