"""The parts of benchmarks/gpu_void.py."""
