"""Ways out to services that are not told by HTTP alone."""
