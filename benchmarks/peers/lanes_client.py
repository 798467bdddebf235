"""A peer's caller: fills its low lane, or sends urgent messages with pauses and tells when."""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable


def main(low: Callable[[int], object], high: Callable[[int], object]) -> None:
    """`fill`: so many low ones. `pace`: prints ``[[number, begun_ns], …]``; the first connects and is not told."""
    parser = argparse.ArgumentParser()
    parser.add_argument("how", choices=["fill", "pace"])
    parser.add_argument("--count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pause", type=float, nargs=2)
    asked = parser.parse_args()
    if asked.how == "fill":
        for number in range(asked.count):
            low(number)
        return
    dice, begun = random.Random(asked.seed), []
    high(0)
    for number in range(1, asked.count):
        time.sleep(dice.uniform(*asked.pause))
        begun.append((number, time.monotonic_ns()))
        high(number)
    json.dump(begun, sys.stdout)
