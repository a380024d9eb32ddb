"""The host's side of the deployment: `make up`, `make doctor` and what else an operator calls beside the containers.

It needs the standard library only, so that a host needs nothing but Python, Docker and make. The checks change nothing;
what changes something runs after all of them have passed, and each step leaves alone what is already as it should be.

    main ── up, doctor ── checks, resources, options     what is found out
         │             └─ secrets, stack, progress       what is done
         └─ backup ─── `outlast.backup`, in a container of its own
"""
