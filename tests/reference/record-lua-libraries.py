#!/usr/bin/env python3
"""Asks real servers what the lines of lua-libraries.txt answer, and writes the answers under them.

usage: record-lua-libraries.py PORT-OF-REDIS-7.0 PORT-OF-VALKEY-9.1

A line that begins with "> " is Lua; each is run by EVAL inside the frame of lua-libraries.lua. What both servers answer is
written under it behind "= "; where they differ, there is a line for each, behind its name. Everything else is kept.
"""

import pathlib
import socket
import sys

FOLDER = pathlib.Path(__file__).parent
SERVERS = ["redis-7.0", "valkey-9.1"]


def ask(connection, script):
    words = [b"EVAL", script.encode(), b"0"]
    request = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
    connection.write(request)
    connection.flush()
    line = connection.readline()
    if not line.startswith(b"$"):
        sys.exit(f"{script}\nis answered by {line}")
    text = connection.read(int(line[1:]) + 2)[:-2]
    return text.decode("ascii")


def main():
    connections = [socket.create_connection(("127.0.0.1", int(port))).makefile("rwb") for port in sys.argv[1:3]]
    frame = (FOLDER / "lua-libraries.lua").read_text()
    path = FOLDER / "lua-libraries.txt"
    lines = []
    for line in path.read_text().splitlines():
        if line.startswith("= ") or any(line.startswith(f"{server} ") for server in SERVERS):
            continue
        lines.append(line)
        if line.startswith("> "):
            answers = [ask(connection, frame.replace("EXPRESSION", line[2:])) for connection in connections]
            if answers[0] == answers[1]:
                lines.append(f"= {answers[0]}")
            else:
                lines.extend(f"{server} {answer}" for server, answer in zip(SERVERS, answers))
    path.write_text("\n".join(lines) + "\n")


main()
