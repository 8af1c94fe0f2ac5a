"""Many runs at once: each examined once, kept in a study folder, and held against what was set differently."""
