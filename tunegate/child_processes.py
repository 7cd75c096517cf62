"""No child outlives its command, even one that SIGKILL or the OOM killer ends.

Each kind of child learns of it in its own way:

trials           the fork server kills them when its socket closes (`katib.local.fork_server`)
the run's server ends when its stdin closes (`tunegate serve --until-eof`)
workers          end when their server's process is gone (`api.server.workers`)
the gate's pool  here: its processes are forks, which hold their siblings' pipes open, so that no
                 pipe tells them of the end
"""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1  # of linux/prctl.h


def end_with_parent(parent: int) -> None:
    """Let Linux kill this process when the thread that has started it ends, for whatever reason.

    Args:
        parent: that thread's process; if it is gone already, this process ends at once.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
