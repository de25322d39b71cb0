"""What the benchmark of `recover` looks at: shots with a known truth, the methods, and the race with the prototype."""
