"""The local stack: a laptop-sized AWS on which the whole platform runs. No other package imports it."""
