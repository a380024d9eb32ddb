"""The demo: one session, killed in the middle, finished by another worker."""
