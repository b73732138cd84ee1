"""The commands for programs that write specs, over the Model Context Protocol."""
