"""What `rabbitmqctl` would be asked for, without the Erlang machine that each call of it starts (seconds)."""

import re

from tests.nodes.rabbitmq_faults import RabbitmqFaults

_BY = '<<"tests">>'


class RabbitmqAdmin(RabbitmqFaults):
    """Users, their rights, and what there is in a virtual host; the node brings `evaluate`."""

    def add_user(self, user: str, password: str) -> None:
        """A user without any right."""
        self.evaluate(f'rabbit_auth_backend_internal:add_user(<<"{user}">>, <<"{password}">>, {_BY}).')

    def delete_user(self, user: str) -> None:
        """With its rights."""
        self.evaluate(f'rabbit_auth_backend_internal:delete_user(<<"{user}">>, {_BY}).')

    def set_permissions(self, user: str, vhost: str, *, configure: str, write: str, read: str) -> None:
        """Regular expressions of the names that it may make, write to and read from."""
        given = ", ".join(f'<<"{one}">>' for one in (user, vhost, configure, write, read))
        self.evaluate(f"rabbit_auth_backend_internal:set_permissions({given}, {_BY}).")

    def vhosts(self) -> set[str]:
        """The names of all virtual hosts."""
        return _strings(self.evaluate("[binary_to_list(One) || One <- rabbit_vhost:list_names()]."))

    def queues(self, vhost: str) -> set[str]:
        """The names of a virtual host's queues."""
        listed = f'{{resource, _, queue, Name}} <- rabbit_amqqueue:list_names(<<"{vhost}">>)'
        return _strings(self.evaluate(f"[binary_to_list(Name) || {listed}]."))

    def connections(self, vhost: str) -> int:
        """How many connections a virtual host has."""
        listed = "[{vhost, One}] <- rabbit_networking:connection_info_all([vhost])"
        told = self.evaluate(f'length([One || {listed}, One =:= <<"{vhost}">>]).')
        # `erl_call` says "{ok, 1}", `rabbitmqctl` "1".
        return int(re.findall(r"\d+", told)[-1])


def _strings(answer: str) -> set[str]:
    """The texts of a list as Erlang writes it."""
    return set(re.findall(r'"([^"]*)"', answer))
