"""Core: what means something with network, disk and clock gone. Values in, values out."""
