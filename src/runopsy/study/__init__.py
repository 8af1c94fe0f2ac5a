"""Many runs at once: each examined once, kept in a study folder, and compared with what was set differently."""
