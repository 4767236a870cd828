"""What the project says about its speed, measured: ``python -m benchmarks --help``."""
