"""A store to damage, and damage to its file: bytes flipped, zeroed or cut off, pages overwritten or exchanged."""

from pathlib import Path
from random import Random

from tests.faults.actors import make_shared, perform, small_pieces
from tests.faults.histories import Told

import clew

STEPS = 80
_PAGE = 4096


def build(path: Path) -> None:
    """A store to make copies of, all of it in one file."""
    told = Told("whole", 5, shared=True)
    actor = told.actor()
    with small_pieces(), clew.open(path, durability="normal") as store:
        make_shared(store, told.seed)
        for _ in range(STEPS):
            step = actor.next()
            actor.done(step, perform(store, step))


def harm(content: bytes, seed: int) -> bytes:
    """`content` damaged in the way that the seed says."""
    dice = Random(seed)
    return dice.choice([_flip, _flip, _flip, _flip, _flip, _cut, _zeros, _garbage, _swap])(bytearray(content), dice)


def _flip(content: bytearray, dice: Random) -> bytes:
    for _ in range(dice.choice([1, 1, 2, 5, 20, 100])):
        content[dice.randrange(len(content))] ^= dice.randrange(1, 256)
    return bytes(content)


def _cut(content: bytearray, dice: Random) -> bytes:
    return bytes(content[: dice.randrange(len(content))])


def _zeros(content: bytearray, dice: Random) -> bytes:
    begin = dice.randrange(len(content))
    count = len(content[begin : begin + dice.choice([16, 512, _PAGE])])
    content[begin : begin + count] = bytes(count)
    return bytes(content)


def _garbage(content: bytearray, dice: Random) -> bytes:
    page = dice.randrange(len(content) // _PAGE) * _PAGE
    content[page : page + _PAGE] = dice.randbytes(_PAGE)
    return bytes(content)


def _swap(content: bytearray, dice: Random) -> bytes:
    one, other = (dice.randrange(len(content) // _PAGE) * _PAGE for _ in range(2))
    held = content[one : one + _PAGE]
    content[one : one + _PAGE] = content[other : other + _PAGE]
    content[other : other + _PAGE] = held
    return bytes(content)
