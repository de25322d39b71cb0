"""The parts of benchmarks/compose.py."""
