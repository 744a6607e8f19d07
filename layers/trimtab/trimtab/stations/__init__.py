"""Stations: the stops of the line, in the order in which a run passes them."""
