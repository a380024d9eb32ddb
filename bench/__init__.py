"""The figures of Outlast, measured, beside those of what it replaces; speed is shown here and never asserted.

`python -m bench` runs all of them, `python -m bench recovery turn` some. Each figure has a module: what is measured,
how the time is taken, and where the number beside it comes from stand at its top. Whatever can be wrong about
*correctness* (a lost job, a completed cell that ran twice, a take-over of a healthy worker) is a violation and makes
the exit code 1; a figure that misses its goal does not.
"""
