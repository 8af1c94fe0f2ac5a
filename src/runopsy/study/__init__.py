"""Many runs at once: what a sweep shows that no single run does."""
