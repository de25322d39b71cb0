"""What `benchmarks/stitch.py` is made of: scenes with known truth, a stand-in model, other methods, metrics, jobs."""
