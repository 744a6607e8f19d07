"""Dashboard: the store as pages to look at; it reads, and never writes or runs anything."""
