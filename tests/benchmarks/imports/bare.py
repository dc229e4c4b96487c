"""A process that loads the modules which the file in its argument names, says READY=1, and waits for its end."""

import sys

with open(sys.argv[1], encoding="utf-8") as lines:  # pathlib may not be among the modules
    for name in lines.read().split():
        if name not in sys.modules:
            __import__(name)

import os
import signal
import socket

with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
signal.pause()
