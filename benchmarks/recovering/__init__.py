"""What the benchmark of `recover` looks at: shots with a known truth, and the methods that are compared on them."""
