"""What runs inside the kernel's process: standard library, ipykernel and IPython only, nothing of the worker.

`boot.py` loads this directory as the package `outlast_inside` and its neighbour `state/` as `outlast_state`, by
path, because the kernel's environment does not have (and must not get) the rest of Outlast.
"""
