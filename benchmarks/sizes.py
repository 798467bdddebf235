"""How much of each work is done: in full for a figure to believe in, or quickly to see where one stands."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Rounds and amounts. Each round runs ours and every peer once."""

    name: str
    rounds: int
    #: P1, P2: single requests of ours and of the bare peer, and confirmed sends of Dramatiq.
    accepts: int
    bare_accepts: int
    sends: int
    #: P3: batches of `batch` notifications.
    batches: int
    batch: int = 1000
    #: P4, P5: messages of one drain, and the thread counts of which the best counts.
    drain: int
    #: Messages of one drain of a peer's: they drain faster, and a drain should last for seconds.
    peer_drain: int
    threads: tuple[int, ...]
    #: P13, L6, L9: the count with which the worker also runs on a plain heap, or silent; one of `threads`.
    heap_threads: int = 16
    #: P10: messages sent one by one.
    idle: int
    connections: int = 64
    batch_connections: int = 2
    idle_threads: int = 8
    #: Figures that are left out unless they are asked for.
    left_out: frozenset[str] = frozenset()
    #: Seconds between two messages of an idle system, from the least to the most.
    idle_pause: tuple[float, float] = (0.02, 0.06)
    #: P6, P7: messages of low priority that are queued, urgent ones of a round, and rounds of each peer.
    flood: int = 100_000
    urgent: int = 200
    peer_floods: int = 2
    #: Seconds between two urgent ones: ten a second on the average.
    urgent_pause: tuple[float, float] = (0.05, 0.15)
    #: P9: seconds that are counted, and what is queued.
    limit_span: float = 60.0
    limit_backlog: int = 9_900
    #: P8, L1 to L4: seconds that are counted, once a worker is under way.
    span: float = 10.0
    #: L10: seconds of one sample.
    watch: float = 30.0
    #: P12: rows of the small table and of the large one, and calls of each part.
    tables: tuple[int, int] = (10_000, 5_000_000)
    calls: int = 15
    #: P11: notifications that are queued, and as many that are scheduled; seconds that a worker is watched.
    backlog: int = 1_000_000
    watched: float = 20.0


FULL = Sizes(
    name="full",
    rounds=5,
    accepts=10_000,
    bare_accepts=60_000,
    sends=3_000,
    batches=40,
    drain=5_400,
    peer_drain=14_400,
    threads=(8, 16, 32),
    idle=400,
)
QUICK = Sizes(
    name="quick",
    rounds=3,
    accepts=2_400,
    bare_accepts=12_000,
    sends=600,
    batches=6,
    drain=2_700,
    peer_drain=6_300,
    threads=(16,),
    idle=80,
    idle_pause=(0.01, 0.03),
    left_out=frozenset({"P5", "P6", "P7", "P8", "P9", "P13", "L1", "L2", "L3", "L4", "L9", "L10"}),
    flood=9_000,
    urgent=100,
    peer_floods=1,
    limit_span=10.0,
    limit_backlog=1_800,
    span=8.0,
    watch=15.0,
    tables=(10_000, 100_000),
    backlog=20_000,
    watched=5.0,
)
