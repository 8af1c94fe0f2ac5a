"""Many runs at once: what is known only when several logs lie side by side."""
