"""For the figures of `bench/state.py`: a job, kernels that run it, and the ways to keep their variables."""
