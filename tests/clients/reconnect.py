"""redis-py through a server that is killed and started again: `reconnect.py URL`.

Says `connected`, waits for a line, and says `again` when what it does with its old connections works without an error.
"""

import sys
import threading

import redis


def use(client, when):
    """Uses several connections of the pool at once."""
    together = threading.Barrier(4)
    failures = []

    def work(number):
        try:
            together.wait(timeout=30)
            assert client.set(f"{when}:{number}", number)
            assert client.get(f"{when}:{number}") == str(number).encode()
        except Exception as failure:  # Told below, where it ends the program.
            failures.append(failure)

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def main():
    client = redis.Redis.from_url(sys.argv[1], socket_timeout=30)
    use(client, "before")
    print("connected", flush=True)
    sys.stdin.readline()
    use(client, "after")
    print("again", flush=True)


main()
