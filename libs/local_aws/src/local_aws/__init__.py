"""A laptop-sized AWS on which the whole platform runs. Imported by nobody."""
