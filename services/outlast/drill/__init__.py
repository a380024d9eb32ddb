"""The drill: jobs of which all is known beforehand, random kills under them, and a judgement from their logs alone.

Theory of operation. A scripted model (`scripted_model`) plays a few fixed jobs (`jobs`). Each is run once undisturbed,
for the reference. Then many run, and at moments drawn from a seed (`schedule`) something gets SIGKILL: a worker, its
child, a guardian, a kernel, all of the workers, Redis, the model server, or everything. The conductor (`conductor`)
draws, follows every log as a client would (`watch`), and asks its hand to strike: it knows no containers.

Two hands exist. `outlast.deploy.drill` is the host's, for `make drill`: the conductor then runs in a container of a
Compose project of the drill's own (`__main__`), and says on its standard output what is to be hit. `bench/drill.py` has
the one for workers without containers.

Afterwards `remains` fetches what each job has left, and `judge`, which is pure, holds it against the reference, against
what the conductor has seen and against what the workers say they appended (`said`): lost, duplicated, run again,
different, failed. No job is asked how it went: its log, its files and its digests are. A drill that gets no further,
because a job hangs, a log breaks or Redis stays away, is judged too.
"""
