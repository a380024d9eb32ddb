"""A request to the model server from another container of its network: `python - URL` with KEY and BODY in the
environment; what is answered goes to standard output as it comes. Exit code 1 with the status where it was refused.
"""

import os
import sys
import urllib.error
import urllib.request

headers = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ['KEY']}"}
request = urllib.request.Request(sys.argv[1], os.environ["BODY"].encode(), headers)
try:
    with urllib.request.urlopen(request, timeout=600) as answer:
        for line in answer:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
except urllib.error.HTTPError as error:
    sys.exit(f"refused: {error.code}")
