"""Dashboard: the store as pages to look at; it reads the store, and never writes."""
