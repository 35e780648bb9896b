"""redis-cli on a terminal: the hints and the help that it makes from what the server answers to COMMAND DOCS.

Called with the program and its arguments. Types a command that redis-cli itself does not know, and succeeds if the
terminal shows its arguments as a hint and explains it.
"""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time

PATIENCE_SECONDS = 20
# Rows and columns: without a size, redis-cli asks the terminal where its cursor is, and nobody would answer.
WINDOW = struct.pack("HHHH", 50, 400, 0, 0)
ESCAPES = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")


class Terminal:
    """A terminal with a program in it."""

    def __init__(self, arguments):
        self.screen = b""
        child, self.side = pty.fork()
        if child == 0:
            os.environ["TERM"] = "xterm"
            os.execvp(arguments[0], arguments)
        fcntl.ioctl(self.side, termios.TIOCSWINSZ, WINDOW)

    def type(self, text):
        os.write(self.side, text)

    def wait_for(self, text):
        """Reads until the screen shows `text`, and takes everything up to it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text not in self.screen:
            ready, _, _ = select.select([self.side], [], [], deadline - time.monotonic())
            if not ready:
                sys.exit(f"the terminal does not show {text}: {self.screen}")
            self.screen += ESCAPES.sub(b"", os.read(self.side, 65536))
        self.screen = self.screen.partition(text)[2]


def main():
    terminal = Terminal(sys.argv[1:])
    terminal.wait_for(b"> ")
    terminal.type(b"compute.count ")
    terminal.wait_for(b"pattern [TYPE type]")
    # Back to an empty line.
    terminal.type(b"\x15help compute.count\r")
    terminal.wait_for(b"summary: Counts the keys")
    # What is typed before the next prompt is thrown away.
    terminal.wait_for(b"> ")
    terminal.type(b"\x15help @compute\r")
    terminal.wait_for(b"COMPUTE.AGGREGATE")
    terminal.type(b"\x15exit\r")


if __name__ == "__main__":
    main()
