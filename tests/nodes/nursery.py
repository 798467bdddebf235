"""Forks programs off an interpreter that has its libraries already: see `programs.py`, which talks to it.

It knows nothing of Notifier, and imports nothing of it: each program does that anew, as after `python -m`.
It has one thread, so that what it forks is whole, and ends with the process that started it.
"""

import array
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import socket
import sys
import time

#: Libraries of the programs, none of which looks at its environment while it is imported but for variables that
#: no test sets. (prometheus_client and opentelemetry do, so they are left to each program.)
LIBRARIES = """
    aiohttp.web alembic.command alembic.config asyncio click ctypes dramatiq.brokers.rabbitmq dramatiq.cli dramatiq.worker email.message
    email.policy email_validator environs http.server jwt logging.config msgspec.json multiprocessing.connection
    phonenumbers pika.adapters.blocking_connection psycopg2.extras sqlalchemy.dialects.postgresql.psycopg2
    sqlalchemy.dialects.sqlite sqlite3 ssl structlog urllib.request uuid
""".split()
#: A program's socket, and its standard input, output and error.
_FDS = 4


class Child:
    """A program that was forked: its number is not another's before somebody has heard how it ended."""

    def __init__(self, pid: int, teller: socket.socket) -> None:
        self.pid, self.teller = pid, teller
        self.pidfd = os.pidfd_open(pid)

    def tell_end(self) -> None:
        """Its exit code, -N for a signal."""
        ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        with contextlib.suppress(OSError):  # nobody waits for it
            self.teller.sendall(f"{code}\n".encode())

    def forget(self) -> None:
        """It was heard, or nobody wants to know."""
        os.waitpid(self.pid, 0)
        self.close()

    def close(self) -> None:
        """Let go of what is the nursery's."""
        os.close(self.pidfd)
        self.teller.close()


def main(control: socket.socket) -> dict[str, object] | None:
    """Fork for each order; answers in the fork, with the order, and otherwise at the end with None."""
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a fork would copy every page
    running: dict[int, Child] = {}
    ended: dict[int, Child] = {}
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd in running:
                poll.unregister(fd)
                child = running.pop(fd)
                child.tell_end()
                ended[child.teller.fileno()] = child
                poll.register(child.teller, select.POLLIN)
            elif fd in ended:
                poll.unregister(fd)
                ended.pop(fd).forget()
            else:
                fds = _ordered(control)
                if not fds:
                    return None
                pid = os.fork()
                if pid == 0:
                    control.close()
                    return _become(fds, [*running.values(), *ended.values()])
                child = Child(pid, _kept(fds))
                running[child.pidfd] = child
                poll.register(child.pidfd, select.POLLIN)


def _kept(fds: list[int]) -> socket.socket:
    """The program's socket; its other descriptors are its own."""
    for one in fds[1:]:
        os.close(one)
    return socket.socket(fileno=fds[0])


def _ordered(control: socket.socket) -> list[int]:
    """The descriptors of the next program; none when nobody is there to order any more."""
    room = socket.CMSG_SPACE(_FDS * array.array("i").itemsize)
    said, more, _, _ = control.recvmsg(1, room)
    fds = array.array("i")
    for _, _, data in more:
        fds.frombytes(data)
    return list(fds) if said else []


def _become(fds: list[int], siblings: list[Child]) -> dict[str, object]:
    """In the fork: let go of what is the nursery's, take what the order says, and tell our number."""
    for child in siblings:
        child.close()
    os.setsid()
    for number, one in enumerate(fds[1:]):
        os.dup2(one, number)
        os.close(one)
    with socket.socket(fileno=fds[0]) as teller, teller.makefile("rb") as asked:
        order: dict[str, object] = json.loads(asked.readline())
        teller.sendall(f"{os.getpid()}\n".encode())
    return order


def begin(order: dict[str, object]) -> None:
    """Be the program, from here on: what it raises, SystemExit too, is this process's end."""
    cwd, environment, arguments = order["cwd"], order["env"], order["arguments"]
    assert isinstance(cwd, str)
    assert isinstance(environment, dict)
    assert isinstance(arguments, list)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.path[0] = cwd
    sys.argv[:] = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _order = main(socket.socket(fileno=int(sys.argv[1])))
    if _order is not None:
        begin(_order)
