"""A venue as a live feed of the desk: what arrives becomes whole instants, supervised and recorded."""
