"""Show: what people read, as text made of documents; no file, no clock, no printing."""
