"""The platform SDK: `runtime` is imported by services, `deploy` by the command line and CI."""
