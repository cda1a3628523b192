"""Every process: its settings, logs and telemetry."""
