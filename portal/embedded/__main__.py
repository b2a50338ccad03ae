"""`make run`: the whole product on one machine. See PORT, AWS_PORT and DATA_DIR in .env.example."""

import os
import sys

from portal.embedded.processes import end_with_parent
from portal.embedded.supervisor import main

if __name__ == "__main__":
    if "--with-parent" in sys.argv[1:]:
        end_with_parent()  # make is our parent: when it is killed, we end as well
    sys.exit(main(os.environ))
