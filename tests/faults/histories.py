"""What writers told of their steps, held against what a store has afterwards."""

from collections.abc import Iterator, Sequence
from uuid import UUID

import msgspec
from tests.faults.actors import Actor, shared_id
from tests.faults.expected import Kept, Made, Point, Step, World, same
from tests.faults.wholeness import Whole


class Told(msgspec.Struct):
    """What one actor told: the `made` of the steps that were done, and how many had begun.

    The first `least` of them have to be there, all of those done unless it says otherwise.
    """

    name: str
    seed: int
    shared: bool = False
    compacts: bool = True
    made: list[Made] = []
    begun: int = 0
    least: int | None = None

    def actor(self) -> Actor:
        """The actor before its first step."""
        return Actor(self.name, self.seed, shared=self.shared, compacts=self.compacts)


class Shared(msgspec.Struct, frozen=True):
    """An append to the shared session: whose it is, and its place among all steps of that actor."""

    actor: str
    number: int
    step: Step
    made: Made | None


def check(whole: Whole, histories: Sequence[Told]) -> None:
    """The store holds of each actor the first steps, not fewer than it must and nothing half.

    AssertionError where that is not so.
    """
    for history in histories:
        counts = list(_possible_counts(whole, history))
        assert counts, f"{history.name}: {_difference(whole, history)}"
        if history.shared:
            _check_shared_of(whole, history, counts)
    seeds = {history.seed for history in histories if history.shared}
    for seed in seeds:
        _check_shared(whole.world[shared_id(seed)], [history for history in histories if history.seed == seed])


def _possible_counts(whole: Whole, history: Told) -> Iterator[int]:
    """After how many of its steps the actor's sessions would be what they are."""
    found = whole.of(f"/{history.name}")
    for count, world in _worlds(whole, history):
        # Revisions first: they tell nearly all numbers of steps apart, at a thousandth of the cost.
        is_near = count >= _least(history) and _revisions(world) == _revisions(found)
        if is_near and same(_sorted(world), _sorted(found)):
            yield count


def _worlds(whole: Whole, history: Told) -> Iterator[tuple[int, World]]:
    actor = history.actor()
    yield 0, actor.world
    for number in range(history.begun):
        step = actor.next()
        made = history.made[number] if number < len(history.made) else _made(whole, actor, step)
        if made is None:
            return
        actor.done(step, made)
        yield number + 1, actor.world


def _made(whole: Whole, actor: Actor, step: Step) -> Made | None:
    """The ids that a step which nobody heard the end of would have made, None where it did not happen."""
    if step.method not in ("fork_session", "copy_session"):
        return []
    found = [kept for kept in whole.of(actor.cwd).values() if kept.title == step.arguments["title"]]
    return [found[0].id, *(point.id for point in found[0].points)] if found else None


def _least(history: Told) -> int:
    return len(history.made) if history.least is None else history.least


def _revisions(world: World) -> dict[UUID, int]:
    return {id: kept.revision for id, kept in world.items()}


def _sorted(world: World) -> list[tuple[UUID, Kept]]:
    return sorted(world.items(), key=lambda item: item[0])


def _difference(whole: Whole, history: Told) -> str:
    """What is not as after the steps that must be there, for a message."""
    world = next((world for count, world in _worlds(whole, history) if count == _least(history)), {})
    found = whole.of(f"/{history.name}")
    lines = [f"{id} is not there" for id in world.keys() - found.keys()]
    lines += [f"{id} is there" for id in found.keys() - world.keys()]
    for id in found.keys() & world.keys():
        lines += _differences(f"{id}", found[id], world[id])
        pairs = zip(found[id].points, world[id].points, strict=False)
        lines += [line for one, other in pairs for line in _differences(f"{id} {other.id}", one, other)]
    return f"after {_least(history)} of {history.begun} steps: {lines}"


def _differences(what: str, found: Kept | Point, known: Kept | Point) -> Iterator[str]:
    for name in known.__struct_fields__:
        if name != "points" and not same(getattr(found, name), getattr(known, name)):
            yield f"{what} has {name} {getattr(found, name)!r:.200}, not {getattr(known, name)!r:.200}"


# -- the session that all share


def shared_appends(history: Told) -> Iterator[Shared]:
    """The appends to the shared session among the steps that had begun, where the actor's own can be followed."""
    actor = history.actor()
    for number in range(history.begun):
        step = actor.next()
        made = history.made[number] if number < len(history.made) else None
        if actor.is_shared(step):
            yield Shared(history.name, number, step, made)
        if made is None:
            return
        actor.done(step, made)


def _check_shared_of(whole: Whole, history: Told, counts: list[int]) -> None:
    """Of the shared session there is what belongs to one of the possible numbers of steps."""
    there = {point.id for point in whole.world[shared_id(history.seed)].points}
    appends = list(shared_appends(history))
    found = [append.number for append in appends if append.step.arguments["id"] in there]
    possible = [[append.number for append in appends if append.number < count] for count in counts]
    assert found in possible, f"{history.name}: has {len(found)} shared appends, not {[len(one) for one in possible]}"


def _check_shared(kept: Kept, histories: Sequence[Told]) -> None:
    """Every append continues the one before it, says what its actor said, and keeps that actor's order."""
    appends = {append.step.arguments["id"]: append for history in histories for append in shared_appends(history)}
    last: dict[str, int] = {}
    for parent, point in zip(kept.points, kept.points[1:], strict=False):
        append = appends[point.id]
        call = append.step.arguments
        assert point.parent == parent.id
        assert same(point.messages, [*parent.messages, *call["messages"]])
        assert same(point.metadata, call.get("metadata", parent.metadata))
        assert append.made in (None, [point.id, parent.id])
        assert append.number > last.get(append.actor, -1)
        last[append.actor] = append.number
    assert kept.active == kept.points[-1].id
    assert kept.revision == len(kept.points)
